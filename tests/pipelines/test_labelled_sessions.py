"""Label rows and the sessions of the logs that they name."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import BadInputError
from pipelines.labelled_sessions import read_labelled_sessions
from tests.pipelines.claude_log import answered, said, write_log


def _row(path: str, ref: str, a: int, b: int, **more: Any) -> dict[str, Any]:
    said_by = {"A": {"friction": a, "delight": 0}, "B": {"friction": b, "delight": 0}}
    return {"path": path, "source_ref": ref, **said_by, **more}


def test_sessions_come_with_the_labels_of_their_turns(tmp_path: Path) -> None:
    for name in ("b", "a"):
        turns = [said(name, f"{name}1", 0, "Hello."), answered(name, f"{name}2", 1, "Yes?")]
        write_log(tmp_path / "logs" / f"{name}.jsonl", *turns, said(name, f"{name}3", 2, "No."))
    rows = [
        _row("logs/b.jsonl", "b1", 0, 0, project="p", note="a line\u2028of two"),
        _row("logs/b.jsonl", "b3", 2, 0),
        _row("logs/a.jsonl", "a3", 1, 1),
        _row("logs/a.jsonl", "a3", 3, 1),
    ]
    file = tmp_path / "labels.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("\n".join(lines), encoding="utf-8")
    found = read_labelled_sessions(file, tmp_path)
    assert [(one.session.session_id, one.project) for one in found] == [
        ("a", "unknown"),
        ("b", "p"),
    ]
    labels = [
        {ref: (label.friction, label.severities) for ref, label in one.labels.items()}
        for one in found
    ]
    assert labels == [{"a3": (True, (3, 1))}, {"b1": (False, (0, 0)), "b3": (None, (2, 0))}]


def test_a_row_that_is_no_label_is_named(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text('{"path": "x"}\n', encoding="utf-8")
    with pytest.raises(BadInputError, match=r"labels.jsonl line 1: "):
        read_labelled_sessions(file, tmp_path)
