"""`signals ingest-errors` and `signals breaches`, as a person types them."""

import json
from pathlib import Path

import pytest

from tests.pipelines.cli.command import signals

pytestmark = pytest.mark.slow


def _log(path: Path, broken: int) -> Path:
    good = json.dumps({"time": "2026-10-01T12:00:00Z", "level": "error", "message": "timed out"})
    path.write_text("\n".join([good, *["{broken"] * broken]) + "\n", encoding="utf-8")
    return path


def test_error_logs_are_counted_and_the_first_bad_lines_named(tmp_path: Path) -> None:
    path = _log(tmp_path / "errors.jsonl", 12)
    done = signals("ingest-errors", path, home=tmp_path / "home")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "1 error in 1 file, 1 of them new; 0 records below an error passed over, 12 broken"
    )
    assert lines[1].startswith(f"  {path} line:2: not valid JSON")
    assert lines[-1] == "  and 2 more: signals --json"
    assert len(lines) == 12


def test_breaches_for_machines_are_one_document(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = signals("--json", "ingest-errors", _log(tmp_path / "errors.jsonl", 1), home=home)
    assert json.loads(done.stdout)["broken"] == 1
    done = signals("--json", "breaches", home=home)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    done = signals("breaches", home=home)
    assert done.stdout == "no breaches; 0 distinct patterns tested, no new looks at the data\n"
