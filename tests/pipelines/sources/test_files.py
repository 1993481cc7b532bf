"""Which files there are and what each is, decided by content."""

import json
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_core.errors import BadInputError
from pipelines.sources import (
    FORMATS,
    FileReading,
    LogFile,
    Quarantined,
    Stamp,
    find_files,
    read_file,
    read_log,
)

_CLAUDE = {
    "type": "user",
    "uuid": "u1",
    "parentUuid": None,
    "sessionId": "s1",
    "timestamp": "2026-01-01T00:00:00Z",
    "message": {"role": "user", "content": "Fix the login"},
}
_CHAT = [{"role": "user", "content": "Fix it"}, {"role": "assistant", "content": "Done"}]


def _write(tmp_path: Path, value: object, name: str = "file.bin") -> Path:
    path = tmp_path / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("value", "status", "name"),
    [
        pytest.param(_CLAUDE, "read", "claude_code", id="claude-code"),
        pytest.param({"type": "session_meta", "payload": {"id": "c"}}, "read", "codex", id="codex"),
        pytest.param(
            {"id": "c", "timestamp": "2025-08-01T00:00:00Z", "instructions": None, "git": {}},
            "read",
            "codex",
            id="codex-bare",
        ),
        pytest.param({"schema_version": "ATIF-v1.2", "steps": []}, "read", "atif", id="atif"),
        pytest.param(_CHAT, "read", "openai_chat", id="list-of-messages"),
        pytest.param({"messages": _CHAT}, "read", "openai_chat", id="messages"),
        pytest.param(
            [{"task_id": 1, "trial": 0, "reward": 1.0, "traj": _CHAT}],
            "read",
            "openai_chat",
            id="tau-bench",
        ),
        pytest.param({"checkpoint_id": "x", "session_id": "y"}, "metadata", None, id="metadata"),
        pytest.param("", "empty", None, id="empty"),
        pytest.param(" \n\n", "empty", None, id="blank"),
        pytest.param("hello\nworld\n", "unknown", None, id="text"),
        pytest.param({"hello": 1}, "unknown", None, id="other-json"),
        pytest.param([1, 2], "unknown", None, id="numbers"),
    ],
)
def test_content_decides_the_format(
    tmp_path: Path, value: object, status: str, name: str | None
) -> None:
    reading = read_file(_write(tmp_path, value))
    assert (reading.status, reading.format) == (status, name)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(
            [{"trajectory_id": 2, "failures": [{"step_number": 1}], "root_cause": {}}],
            id="ground-truth",
        ),
        pytest.param([{"role": "human", "content": "x"}], id="other-roles"),
        pytest.param([{"role": "assistant", "content": None, "tool_calls": []}], id="no-user"),
        pytest.param(
            [{"role": "user", "content": [{"type": "tool_result", "content": "x"}]}],
            id="anthropic-messages",
        ),
    ],
)
def test_labels_and_others_are_no_chats(tmp_path: Path, value: object) -> None:
    assert read_file(_write(tmp_path, value)).status == "unknown"


def test_a_document_cut_off_says_so(tmp_path: Path) -> None:
    path = _write(tmp_path, '{\n "schema_version": "ATIF-v1.8",\n "steps": [')
    assert read_file(path) == FileReading(path, "unknown", detail="JSON that is broken or cut off")


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "gone.jsonl"
    assert read_file(path) == FileReading(path, "unreadable", detail="No such file or directory")


def test_broken_and_torn_lines_are_told_apart(tmp_path: Path) -> None:
    line = json.dumps(_CLAUDE)
    path = _write(tmp_path, f"{line}\n{{secret words\n17\n{line[:40]}")
    reading = read_file(path)
    assert reading.quarantined == (
        Quarantined("line:2", "not valid JSON at character 2"),
        Quarantined("line:3", "not a JSON object"),
    )
    assert (reading.torn_line, reading.records) == (4, 2)
    assert reading.detail == "line 4 is cut off and waits for its rest"


def test_a_format_can_be_named(tmp_path: Path) -> None:
    path = _write(tmp_path, _CHAT)
    named = read_file(path, format_name="claude_code")
    assert (named.format, named.sessions) == ("claude_code", ())
    with pytest.raises(BadInputError, match="unknown format 'word'; known are atif, claude_code"):
        read_file(path, format_name="word")


def test_find_files_lists_each_real_file_once(tmp_path: Path) -> None:
    hidden = tmp_path / ".codex" / "sessions"
    hidden.mkdir(parents=True)
    (hidden / "a.jsonl").touch()
    (tmp_path / "b.jsonl").touch()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "b.jsonl")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "again").symlink_to(hidden)
    found = find_files([tmp_path, tmp_path / "b.jsonl"])
    assert found == [hidden / "a.jsonl", tmp_path / "b.jsonl"]


def test_links_that_lead_nowhere_new_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.jsonl").touch()
    (folder / "loop").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to("itself")
    found = find_files([tmp_path])
    assert found == [folder / "a.jsonl", folder / "loop", tmp_path / "itself"]
    assert [(r.status, r.detail) for r in map(read_file, found[1:])] == [
        ("unreadable", "a link back to its own folder"),
        ("unreadable", "Too many levels of symbolic links"),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_this_user_may_not_open_is_listed() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0o700)
        (folder / "secret.jsonl").touch(mode=0o600)
        told = _as_nobody(lambda: [(r.path.name, r.status, r.detail) for r in _read_all(folder)])
    assert told == [
        ["closed", "unreadable", "a folder that cannot be entered"],
        ["secret.jsonl", "unreadable", "Permission denied"],
    ]


def _read_all(folder: Path) -> list[FileReading]:
    return [read_file(path) for path in find_files([folder])]


def _as_nobody(work: Callable[[], object]) -> object:
    """What `work` gives, as JSON would have it, in a process without rights."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    os.waitpid(child, 0)
    return json.loads(text)


def test_find_files_names_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no such file or folder: .*gone; check the path"):
        find_files([tmp_path / "gone"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("x" * 5000, r"^x{200}\.\.\.: file name too long; check the path$", id="long"),
        pytest.param("gone\udcff", r"no such file or folder: gone\\udcff; check", id="not-utf-8"),
    ],
)
def test_find_files_names_a_path_that_cannot_be_one(name: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        find_files([Path(name)])


def test_find_files_leaves_out_what_goes_away_meanwhile(tmp_path: Path) -> None:
    """Files that another process makes and removes all the time."""
    (tmp_path / "stays").touch()
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for number in range(50):
                (tmp_path / f"{number}").touch()
            for number in range(50):
                (tmp_path / f"{number}").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(100):
            assert tmp_path / "stays" in find_files([tmp_path])
    finally:
        stop.set()
        thread.join()


def test_a_stamp_is_of_the_bytes_on_disk(tmp_path: Path) -> None:
    path = _write(tmp_path, "hello")
    status = path.stat()
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert read_file(path).stamp == Stamp(5, status.st_mtime_ns, digest)
    assert read_file(tmp_path / "gone").stamp is None


_KEY_NAMES = """
type uuid sessionId parentUuid message content role text id name input arguments payload output
call_id usage steps observation results extra source metrics tool_calls function timestamp reward
trial task_id traj messages attachment prompt info result agent summary metadata invocation
"""
_KINDS = """
user assistant system attachment tool text tool_use tool_result response_item event_msg
session_meta token_count message function_call function_call_output mcp_tool_call_end ATIF-v1.8
"""
_KEYS = st.sampled_from(_KEY_NAMES.split())
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)
_VALUES = _JSON | st.sampled_from(_KINDS.split())
_RECORDS = st.dictionaries(_KEYS, _VALUES | st.dictionaries(_KEYS, _VALUES, max_size=5), max_size=8)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_reading(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    assert read_file(path).path == path


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=st.lists(_RECORDS, min_size=1, max_size=6), name=st.sampled_from(sorted(FORMATS)))
def test_any_records_are_read_by_every_format(
    tmp_path: Path, records: list[object], name: str
) -> None:
    """Without the edge that turns a failure into a row: here the failure itself would show."""
    path = tmp_path / "any"
    lines = "\n".join(json.dumps(record) for record in records)
    path.write_bytes(lines.encode("utf-8", "replace"))
    sessions = read_log(LogFile(path), name).sessions
    for session in sessions:
        refs = [step.source_ref for step in session.steps]
        assert len(refs) == len(set(refs))
