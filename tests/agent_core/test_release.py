"""A release changes with what a patch can change, and with nothing else."""

import re
from pathlib import Path

import pytest

from agent_core.release import current_release, tree_hash

FOLDERS = ("core/prompts", "core/tools")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in {
        "core/prompts/a.md": "a",
        "core/tools/b.toml": "b",
        "core/c.py": "c",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "text", "is_new"),
    [
        pytest.param("core/prompts/a.md", "other", True, id="content"),
        pytest.param("core/tools/new.md", "", True, id="new file"),
        pytest.param("core/tools/__pycache__/b.pyc", "x", False, id="cache"),
        pytest.param("core/c.py", "other", False, id="beside it"),
        pytest.param("core/prompts/a.md", "a", False, id="the same again"),
    ],
)
def test_the_hash(checkout: Path, path: str, text: str, is_new: bool) -> None:
    before = tree_hash(checkout, FOLDERS)
    (checkout / path).parent.mkdir(exist_ok=True)
    (checkout / path).write_text(text)
    assert (tree_hash(checkout, FOLDERS) != before) == is_new


def test_this_checkout_has_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{12}", current_release())
