"""Ingest and sessions: each step once, whatever the order, and nothing lost."""

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import BadInputError
from pipelines.config import Config, SelectConfig, SourcesConfig
from pipelines.context import Context
from pipelines.stages.file_rows import write_files
from pipelines.stages.file_state import Wanted, manner_of
from pipelines.stages.ingest import ingest
from pipelines.stages.provenance import CoreLogs
from pipelines.stages.reading import read_batches
from pipelines.stages.rules_judgements import judge_by_rules
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.pipelines.claude_log import answered, said, write_log

_FIRST = (said("s1", "u1", 0, "Add a test."), answered("s1", "u2", 1, "Added."))


def _rows(context: Context, sql: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


def _everything(context: Context) -> dict[str, list[tuple[Any, ...]]]:
    tables = ("source_files", "sessions", "steps", "quarantine", "file_sessions")
    return {table: _rows(context, f"SELECT * FROM {table} ORDER BY ALL") for table in tables}


def test_ingesting_again_reads_nothing_and_changes_no_row(context: Context, tmp_path: Path) -> None:
    write_log(tmp_path / "logs" / "a.jsonl", *_FIRST)
    counts = ingest(context, [tmp_path / "logs"])
    summarise_sessions(context)
    assert (counts["files_read"], counts["sessions_new"], counts["steps_new"]) == (1, 1, 2)
    before = _everything(context)
    assert ingest(context, [tmp_path / "logs"]) == {"files": 1, "unchanged": 1}
    summarise_sessions(context)
    assert _everything(context) == before


def test_a_touched_file_is_known_by_its_content(context: Context, tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.jsonl", *_FIRST)
    ingest(context, [path])
    path.touch()
    assert ingest(context, [path]) == {"files": 1, "unchanged": 1}


def test_a_grown_file_adds_only_what_is_new(context: Context, tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.jsonl", *_FIRST)
    ingest(context, [path])
    write_log(path, *_FIRST, said("s1", "u3", 2, "Now push."))
    counts = ingest(context, [path])
    summarise_sessions(context)
    assert (counts["sessions_new"], counts["steps_new"]) == (0, 1)
    assert _rows(context, "SELECT source_ref FROM steps ORDER BY position") == [
        ("u1",),
        ("u2",),
        ("u3",),
    ]
    assert _rows(context, "SELECT steps, person_turns FROM sessions") == [(3, 2)]


def test_a_broken_line_is_quarantined_and_the_rest_kept(context: Context, tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.jsonl", _FIRST[0], '{"type": "user", "mess', _FIRST[1])
    assert ingest(context, [path])["quarantined"] == 1
    assert _rows(context, "SELECT place FROM quarantine") == [("line:2",)]
    assert _rows(context, "SELECT count(*) FROM steps") == [(2,)]


_FORK = (
    said("s2", "u1", 0, "Add a test."),
    answered("s2", "u2", 1, "Added."),
    said("s2", "u9", 5, "Try it another way."),
    answered("s2", "u10", 6, "Done."),
)
_COPY = (*_FIRST, said("s1", "u3", 2, "Now push."), answered("s1", "u4", 3, "Pushed."))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
@pytest.mark.slow
def test_forks_and_copies_count_once_whatever_arrives_first(
    context: Context, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """A session, a longer copy of it, and a fork that repeats its history."""
    files = [
        write_log(tmp_path / "a.jsonl", *_FIRST),
        write_log(tmp_path / "b.jsonl", *_COPY),
        write_log(tmp_path / "c.jsonl", *_FORK),
    ]
    for number in order:
        ingest(context, [files[number]])
    summarise_sessions(context)
    assert _rows(
        context,
        "SELECT session_id, steps, copied_steps, person_turns, input_tokens, source_path "
        "FROM sessions ORDER BY session_id",
    ) == [("s1", 4, 0, 2, 20, str(files[1])), ("s2", 2, 2, 1, 10, str(files[2]))]


def test_every_exclusion_is_counted_by_its_reason(context: Context, tmp_path: Path) -> None:
    """A run without a person is autonomous: no number of turns is asked of it."""
    longer = (*_COPY, said("s1", "u5", 4, "Thanks."))
    write_log(tmp_path / "talk.jsonl", *longer)
    write_log(tmp_path / "short.jsonl", said("s2", "x1", 0, "Hi."), answered("s2", "x2", 1, "Hi."))
    write_log(tmp_path / "alone.jsonl", answered("s3", "v1", 0, "Nobody asked."))
    write_log(tmp_path / "waiting.jsonl", said("s4", "w1", 0, "Anybody there?"))
    ingest(context, [tmp_path])
    config = Config(select=SelectConfig(min_user_turns=3))
    assert summarise_sessions(replace(context, config=config)) == {
        "seen": 4,
        "selected": 2,
        "excluded: fewer turns of the person than min_user_turns": 1,
        "excluded: no step of the agent": 1,
    }


def test_an_excluded_project_leaves_no_text_behind(context: Context, tmp_path: Path) -> None:
    write_log(tmp_path / "a.jsonl", *_FIRST)
    config = Config(sources=SourcesConfig(exclude=["*/shop"]))
    counts = ingest(replace(context, config=config), [tmp_path / "a.jsonl"])
    assert (counts["files_excluded"], counts["sessions_excluded"]) == (1, 1)
    assert _rows(context, "SELECT * FROM steps") == []
    assert _rows(context, "SELECT * FROM sessions") == []


def test_a_missing_path_is_named(context: Context, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no-such"):
        ingest(context, [tmp_path / "no-such"])


def test_an_unknown_format_is_listed_and_stops_nothing(context: Context, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "notes.txt").write_text("dear diary")
    (logs / "empty.jsonl").write_text("")
    write_log(logs / "a.jsonl", *_FIRST)
    ingest(context, [logs])
    names = {Path(path).name: status for path, status in
             _rows(context, "SELECT path, status FROM source_files")}  # fmt: skip
    assert names == {"notes.txt": "unknown", "empty.jsonl": "empty", "a.jsonl": "read"}


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=str)
def test_a_run_in_two_files_at_other_places_counts_once(
    context: Context, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Several runs in a file are told by JSON pointers, which differ from file to file."""
    run = {
        "task_id": 7,
        "trial": 0,
        "reward": 1.0,
        "traj": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Cancel my order."},
            {"role": "assistant", "content": "Done."},
        ],
    }
    other = {**run, "task_id": 8}
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    files[0].write_text(json.dumps([run]))
    files[1].write_text(json.dumps([other, run]))
    for number in order:
        ingest(context, [files[number]])
    summarise_sessions(context)
    assert _rows(context, "SELECT steps, right(source_path, 6) FROM sessions ORDER BY ALL") == [
        (3, "a.json"),
        (3, "b.json"),
    ]


def _write_json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def _with(context: Context, **sources: Any) -> Context:
    return replace(context, config=Config(sources=SourcesConfig(**sources)))


def test_the_stamp_is_of_what_was_read(context: Context, tmp_path: Path) -> None:
    """A file that grows after its bytes were read is read again."""
    path = write_log(tmp_path / "a.jsonl", *_FIRST)
    core = CoreLogs.of(context.home)
    batch = next(read_batches([Wanted(path)], SourcesConfig(), core, tmp_path))
    write_log(path, *_FIRST, said("s1", "u3", 2, "Now push."))
    manner = manner_of(SourcesConfig(), None)
    with context.warehouse() as connection:
        write_files(connection, batch.files, manner, context.clock())
    assert ingest(context, [path])["files_read"] == 1
    assert _rows(context, "SELECT count(*) FROM steps") == [(3,)]


def test_a_format_that_is_named_later_is_used(context: Context, tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.jsonl", *_FIRST)
    ingest(context, [path], format_name="codex")
    assert _rows(context, "SELECT count(*) FROM sessions") == [(0,)]
    ingest(context, [path], format_name="claude_code")
    assert _rows(context, "SELECT session_key FROM sessions") == [("claude_code:s1",)]
    again = ingest(context, [path], format_name="claude_code")
    assert again == {"files": 1, "unchanged": 1}


def test_a_file_of_an_older_reader_is_read_again(context: Context, tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.jsonl", *_FIRST)
    ingest(context, [path])
    with context.warehouse() as connection:
        connection.execute("UPDATE source_files SET reader_version = reader_version - 1")
    assert ingest(context, [path])["files_read"] == 1
    assert ingest(context, [path]) == {"files": 1, "unchanged": 1}


@pytest.mark.slow
def test_an_unreadable_moment_takes_nothing_away(context: Context, tmp_path: Path) -> None:
    """A compressed log whose stream is damaged for a while, as a half-written one is."""
    path = tmp_path / "a.jsonl.gz"
    lines = "".join(f"{json.dumps(record)}\n" for record in _COPY).encode()
    path.write_bytes(gzip.compress(lines))
    ingest(context, [path])
    path.write_bytes(b"\x1f\x8b damaged")
    assert ingest(context, [path])["files_unreadable"] == 1
    assert _rows(context, "SELECT status, detail, session_keys FROM source_files") == [
        ("unreadable", "damaged compression (BadGzipFile)", ["claude_code:s1"])
    ]
    assert _rows(context, "SELECT count(*) FROM steps") == [(4,)]
    assert ingest(context, [path])["files_unreadable"] == 1
    path.write_bytes(gzip.compress(lines))
    ingest(context, [path])
    assert _rows(context, "SELECT status, detail FROM source_files") == [("read", None)]


@pytest.mark.slow
def test_what_is_excluded_later_goes_and_comes_back(context: Context, tmp_path: Path) -> None:
    write_log(tmp_path / "a.jsonl", *_FIRST)
    ingest(context, [tmp_path / "a.jsonl"])
    summarise_sessions(context)
    judge_by_rules(context)
    excluding = _with(context, exclude=["/home/ada"])
    assert ingest(excluding, [tmp_path / "a.jsonl"])["files_excluded"] == 1
    for table in ("steps", "sessions", "judgements", "file_sessions"):
        assert _rows(context, f"SELECT * FROM {table}") == []
    assert ingest(context, [tmp_path / "a.jsonl"])["sessions_new"] == 1


@pytest.mark.slow
def test_the_user_of_the_configuration_reaches_known_files(
    context: Context, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "a.jsonl", *_FIRST)
    for user in (None, "ada", "bob"):
        ingest(_with(context, user=user), [path])
        assert _rows(context, "SELECT user_id FROM sessions") == [(user,)]


@pytest.mark.parametrize(
    ("pattern", "excluded"),
    [
        ("/home/ada/shop", True),
        ("/home/ada/shop/", True),
        ("/home/ada", True),
        ("*/shop", True),
        ("/home/*/shop", True),
        ("~/shop", True),
        ("/home/ada/sho", False),
        ("/home/ada/shop/cart", False),
    ],
)
def test_a_pattern_names_a_folder_and_what_is_below(
    context: Context,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    excluded: bool,
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    path = write_log(tmp_path / "a.jsonl", *_FIRST)
    counts = ingest(_with(context, exclude=[pattern]), [path])
    assert counts["sessions_excluded"] == int(excluded)


def test_one_hostile_file_stops_nothing(context: Context, tmp_path: Path) -> None:
    """Arguments nested deeper than can be written, tokens beyond 64 bits, a name not of UTF-8."""
    logs = tmp_path / "logs"
    logs.mkdir()
    call = {"id": "c", "type": "function"}
    deep = '{"a":' + "[" * 252 + "]" * 252 + "}"
    chat = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "",
         "tool_calls": [{**call, "function": {"name": "f", "arguments": deep}}]},
    ]  # fmt: skip
    _write_json(logs / "deep.json", {"messages": chat})
    answers = [answered("s2", f"v{n}", n % 60, "Yes.", tokens=(1 << 53) - 1) for n in range(2000)]
    write_log(logs / "tokens.jsonl", said("s2", "v", 0, "Add a test."), *answers)
    (logs / os.fsdecode(b"x\xff.jsonl")).write_text(json.dumps(_FIRST[0]))
    write_log(logs / "good.jsonl", *_FIRST)
    ingest(context, [logs])
    summarise_sessions(context)
    rows = _rows(context, "SELECT path, status, detail FROM source_files ORDER BY path")
    assert [(Path(path).name, status, (detail or "")[:12]) for path, status, detail in rows] == [
        ("deep.json", "read", ""),
        ("good.jsonl", "read", ""),
        ("tokens.jsonl", "read", ""),
        ("x\\xff.jsonl", "unreadable", "its name is "),
    ]
    assert _rows(context, "SELECT format, steps FROM sessions ORDER BY ALL") == [
        ("claude_code", 2),
        ("claude_code", 2001),
        ("openai_chat", 2),
    ]


@pytest.mark.parametrize(
    ("agent", "release"), [("other", "1.2"), ("signals-core", None)], ids=["foreign", "own"]
)
def test_a_version_stands_for_a_release_unstated(
    context: Context, tmp_path: Path, agent: str, release: str | None
) -> None:
    steps = [{"step_id": 1, "source": "user", "message": "Hi."},
             {"step_id": 2, "source": "agent", "message": "Hi."}]  # fmt: skip
    ingest(context, [_atif(context.home.sessions, agent, steps)])
    assert _rows(context, "SELECT agent_version, release FROM sessions") == [("1.2", release)]


def _atif(folder: Path, agent: str, steps: list[dict[str, Any]]) -> Path:
    document = {"schema_version": "ATIF-v1.6", "session_id": "s1", "steps": steps,
                "agent": {"name": agent, "version": "1.2"}}  # fmt: skip
    return _write_json(folder / "a.json", document)


@pytest.mark.slow
def test_a_document_that_becomes_a_conversion_is_linked(context: Context, tmp_path: Path) -> None:
    write_log(tmp_path / "s1.jsonl", *_FIRST)
    steps = [{"step_id": 1, "source": "user", "message": "Add a test."}]
    for agent, native in (("other", None), ("claude-code", "claude_code:s1")):
        _atif(tmp_path, agent, steps)
        ingest(context, [tmp_path])
        summarise_sessions(context)
        linked = _rows(context, "SELECT conversion_of FROM sessions WHERE format = 'atif'")
        assert linked == [(native,)]


def test_a_link_that_leads_to_itself_is_listed_with_its_reason(
    context: Context, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    write_log(logs / "a.jsonl", *_FIRST)
    (logs / "one").symlink_to("two")
    (logs / "two").symlink_to("one")
    ingest(context, [logs])
    odd = "SELECT detail FROM source_files WHERE status = 'unreadable'"
    assert _rows(context, odd) == [("Too many levels of symbolic links",)] * 2


def test_arguments_nested_as_deep_as_json_goes_lose_nothing(
    context: Context, tmp_path: Path
) -> None:
    deep = '{"a":' * 252 + "1" + "}" * 252
    call = {"type": "function_call", "name": "shell", "arguments": deep, "call_id": "c1"}
    said_so = {"type": "user_message", "message": "Go."}
    path = write_log(
        tmp_path / "rollout.jsonl",
        {"timestamp": "2026-09-01T08:00:00Z", "type": "session_meta", "payload": {"id": "c"}},
        {"timestamp": "2026-09-01T08:00:01Z", "type": "event_msg", "payload": said_so},
        {"timestamp": "2026-09-01T08:00:02Z", "type": "response_item", "payload": call},
    )
    assert ingest(context, [path])["files_read"] == 1
    told = _rows(context, "SELECT tool_calls->>'$[0].arguments.input' FROM steps WHERE calls = 1")
    assert told == [(deep,)]


def test_a_path_spelled_in_two_ways_is_one_file(context: Context, tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]
    (tmp_path / "logs").mkdir()
    _write_json(tmp_path / "logs" / "chat.json", chat)
    (tmp_path / "link").symlink_to(tmp_path / "logs")
    for folder in (tmp_path / "logs", tmp_path / "home" / ".." / "logs", tmp_path / "link"):
        ingest(context, [folder])
        assert _rows(context, "SELECT path FROM source_files") == [
            (str(tmp_path / "logs" / "chat.json"),)
        ]
    assert _rows(context, "SELECT count(*) FROM sessions") == [(1,)]
