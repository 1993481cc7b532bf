"""The cases of every format's test table, for tests that hold for all formats."""

import importlib
from pathlib import Path

from tests.pipelines.sources.format_table import Case

_FOLDER = Path(__file__).parent / "formats"


def cases_by_format() -> dict[str, dict[str, Case]]:
    """`CASES` of each `formats/test_NAME.py`, by NAME."""
    modules = {
        path.stem.removeprefix("test_"): importlib.import_module(
            f"tests.pipelines.sources.formats.{path.stem}"
        )
        for path in sorted(_FOLDER.glob("test_*.py"))
    }
    return {name: getattr(module, "CASES", {}) for name, module in modules.items()}


ALL_CASES = [
    (name, case_id, case)
    for name, cases in cases_by_format().items()
    for case_id, case in cases.items()
]
"""(format, id, case) of all of them."""
