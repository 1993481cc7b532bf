"""The file of label rows that `signals review` writes: one line an answer, appended whole."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from agent_core.errors import BadInputError
from judges.calibration import read_labels
from judges.rubric import load_rubric


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The newest row of each turn; none before the first answer.

    Raises BadInputError, naming the line, where the file holds anything else.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInputError(f"{file}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file}: is no UTF-8 text: label rows are JSON lines") from error
    read_labels(lines, load_rubric(), name=file.name)
    rows = [orjson.loads(line) for line in lines if line.strip()]
    return list({(row["path"], row["source_ref"]): row for row in rows}.values())


def append_row(file: Path, row: Mapping[str, Any]) -> None:
    """Add a row with a single write, for the owner's eyes, and have it on the disk."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, _missing_newline(descriptor) + orjson.dumps(row) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BadInputError(f"{file}: cannot be written ({error.strerror})") from error


def _missing_newline(descriptor: int) -> bytes:
    """What a last line that an editor left open needs before the next one."""
    size = os.fstat(descriptor).st_size
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
