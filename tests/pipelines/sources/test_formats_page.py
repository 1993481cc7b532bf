"""The contributor's page on log formats: its example works, and its table names what there is."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipelines.known_folders import KNOWN_AGENTS
from pipelines.sources import FORMATS, formats
from tests.pipelines.sources.format_table import check_case


@pytest.fixture
def page(repository: Path) -> str:
    """The text of the page."""
    return (repository / "docs" / "formats.md").read_text(encoding="utf-8")


def _blocks(page: str) -> dict[str, str]:
    """The example's files by path."""
    found = re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```", page, flags=re.DOTALL)
    return dict(found)


def test_the_table_names_every_format_and_what_it_was_built_from(page: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\w ]+) \|$", page, flags=re.MULTILINE)
    assert dict(rows) == {source.name: source.evidence for source in FORMATS.values()}


def test_every_known_folder_is_named(page: str) -> None:
    for agent in KNOWN_AGENTS:
        assert f"~/{agent.folder}/{agent.logs[0]}" in page
        assert all(f"`{folder}`" in page for folder in agent.logs[1:])
        assert agent.variable is None or f"`{agent.variable}`" in page


def test_one_module_and_one_table_make_a_format(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, table = _blocks(page).items()
    assert module[0] == "pipelines/sources/formats/lantern.py"
    assert table[0] == "tests/pipelines/sources/formats/test_lantern.py"
    (tmp_path / "lantern.py").write_text(module[1], encoding="utf-8")
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    monkeypatch.setattr("pipelines.sources.files.FORMATS", formats.find_sources())
    del sys.modules["pipelines.sources.formats.lantern"]
    for number, case in enumerate(_module_of(table[1], tmp_path).CASES.values()):
        check_case(case, tmp_path / str(number))


def _module_of(text: str, folder: Path) -> ModuleType:
    path = folder / "table_of_the_page.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
