"""The catalogue of planted defects: data files, and how one is planted in a clone."""

import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

DEFECTS = Path(__file__).parent.parent / "selfrepair_defects"
_IDENTITY = ("-c", "user.name=Signals", "-c", "user.email=signals@example.org")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Edit(_Strict):
    """A piece of a file, told by a regular expression, and what takes its place."""

    path: str
    old: str
    new: str


class Defect(_Strict):
    """One defect of the agent core."""

    name: str
    kind: Literal["mechanical", "other"]
    """`other`: no playbook is meant for it."""
    what: str
    edits: tuple[Edit, ...]


def load_defects() -> Mapping[str, Sequence[Defect]]:
    """The defects by the file they stand in: `tuned` or `held_out`."""
    return {
        path.stem: [Defect.model_validate(one) for one in _tables(path)]
        for path in sorted(DEFECTS.glob("*.toml"), reverse=True)
    }


def _tables(path: Path) -> list[dict[str, object]]:
    return list(tomllib.loads(path.read_text(encoding="utf-8"))["defects"])


def plant(defect: Defect, clone: Path) -> None:
    """Make the edits in a clone and commit them; each must find its place exactly once."""
    for edit in defect.edits:
        file = clone / edit.path
        new = edit.new.replace("\\", r"\\")  # a text, not a template
        text, count = re.subn(edit.old, new, file.read_text(), flags=re.DOTALL)
        if count != 1:
            raise AssertionError(f"{defect.name}: {edit.path} has {count} places for {edit.old}")
        file.write_text(text, encoding="utf-8")
    commit(clone, defect.what)


def commit(clone: Path, message: str) -> None:
    """Commit what was changed in a clone."""
    git(clone, *_IDENTITY, "commit", "-qam", message)


def git(folder: Path, *arguments: str) -> None:
    """A git command; CalledProcessError where it fails."""
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
