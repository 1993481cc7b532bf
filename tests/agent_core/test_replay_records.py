"""Which recorded calls a task replays, and which half the agent sees."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent_core.replay_records import ReplaySet, Selection, restore_workspace, select_calls
from agent_core.signature import salted_signature

_SALT = b"salt"
_CONTENT = b"x = 1\n"
_DIGEST = hashlib.sha256(_CONTENT).hexdigest()


def _call(number: int, tool: str = "run", error: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "tool": tool,
        "arguments": {"command": f"make {number}"},
        "is_error": error is not None,
        "error_class": error,
        "error_signature": f"{error} <n>" if error else None,
        "content": error or "fine",
        "files": {"a.py": _DIGEST},
    } | more


def _record(folder: Path, session_id: str, calls: Sequence[Mapping[str, Any]]) -> None:
    (folder / "blobs").mkdir(exist_ok=True)
    (folder / "blobs" / _DIGEST).write_bytes(_CONTENT)
    record = {"session_id": session_id, "calls": list(calls)}
    (folder / f"{session_id}.json").write_text(json.dumps(record))


def _select(
    folder: Path, sessions: Sequence[str], signatures: Sequence[str] = (), tool: str | None = "run"
) -> ReplaySet:
    return select_calls(folder, Selection(sessions, tool, "timeout", signatures), _SALT)


def _numbers(calls: ReplaySet) -> dict[str, list[int]]:
    return {
        kind: sorted(
            call.number for half in (calls.visible, calls.held_out) for call in getattr(half, kind)
        )
        for kind in ("failed", "served", "failed_otherwise")
    }


def test_calls_are_sorted_by_what_must_become_of_them(tmp_path: Path) -> None:
    other_signature = {"error_signature": "timed out elsewhere"}
    _record(
        tmp_path,
        "s1",
        [
            _call(1, error="timeout"),
            _call(2),
            _call(3, error="timeout", **other_signature),
            _call(4, error="not_found"),
            _call(5, tool="search", error="timeout"),
            _call(6, error="timeout", files={}, not_replayable="too large"),
            _call(7, error="timeout", files={"a.py": "0" * 64}),
        ],
    )
    by_class = _select(tmp_path, ["s1"])
    assert _numbers(by_class) == {"failed": [1, 3], "served": [2], "failed_otherwise": [4]}
    assert by_class.not_replayable == 2
    signature = salted_signature("timeout", "timeout <n>", _SALT)
    by_signature = _select(tmp_path, ["s1"], [signature])
    assert _numbers(by_signature) == {"failed": [1], "served": [2], "failed_otherwise": [3, 4]}
    nothing: dict[str, list[int]] = {"failed": [], "served": [], "failed_otherwise": []}
    assert _numbers(_select(tmp_path, ["s1"], tool=None)) == nothing


@pytest.mark.parametrize(
    ("count", "held_out", "visible"), [(1, 1, 0), (2, 1, 1), (5, 3, 2), (40, 12, 12)]
)
def test_half_of_each_kind_is_withheld(
    tmp_path: Path, count: int, held_out: int, visible: int
) -> None:
    _record(tmp_path, "s1", [_call(n, error="timeout") for n in range(1, count + 1)])
    calls = _select(tmp_path, ["s1"])
    assert (len(calls.held_out.failed), len(calls.visible.failed)) == (held_out, visible)
    assert not set(map(str, calls.held_out.failed)) & set(map(str, calls.visible.failed))
    assert calls == _select(tmp_path, ["s1"])


@pytest.mark.parametrize("session_id", ["absent", "broken", "odd", "../s1", ""])
def test_records_that_cannot_be_read_are_missing(tmp_path: Path, session_id: str) -> None:
    folder = tmp_path / "replay"
    folder.mkdir()
    (tmp_path / "s1.json").write_text('{"calls": []}')
    (folder / "broken.json").write_text('{"calls": [')
    (folder / "odd.json").write_text("[]")
    assert _select(folder, [session_id]).missing_sessions == (session_id,)


def test_a_workspace_is_restored_and_nothing_beside_it(tmp_path: Path) -> None:
    escaping = {"sub/a.py": _DIGEST, "../escaped": _DIGEST}
    _record(tmp_path, "s1", [_call(1, error="timeout", files=escaping)])
    (call,) = _select(tmp_path, ["s1"]).held_out.failed
    restore_workspace(tmp_path, call, tmp_path / "workspace")
    assert (tmp_path / "workspace" / "sub" / "a.py").read_bytes() == _CONTENT
    assert not (tmp_path / "escaped").exists()
