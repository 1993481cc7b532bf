"""Conversations that are a folder of files: one session, whatever arrives when."""

import json
import os
import random
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import pipelines.sources.formats.openhands.folder as folders
from pipelines.config import Config, SourcesConfig
from pipelines.context import Context
from pipelines.home import Home
from pipelines.inputs import require_sessions
from pipelines.sources import list_files
from pipelines.stages.file_state import load_known, manner_of, plan_reading, record_plan
from pipelines.stages.ingest import ingest
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query, transaction
from tests.pipelines.claude_log import answered, said, write_log

_TABLES = ("source_files", "sessions", "steps", "quarantine", "file_sessions")


def _rows(context: Context, sql: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


def _everything(context: Context) -> dict[str, list[tuple[Any, ...]]]:
    summarise_sessions(context)
    return {table: _rows(context, f"SELECT * FROM {table} ORDER BY ALL") for table in _TABLES}


def _refs(context: Context) -> list[str]:
    summarise_sessions(context)
    return [ref for (ref,) in _rows(context, "SELECT source_ref FROM steps ORDER BY position")]


def _clean(context: Context, tmp_path: Path, logs: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The tables of one run over the files as they are, in a home of its own."""
    number = len(list(tmp_path.glob("clean-*")))
    clean = replace(context, home=Home(tmp_path / f"clean-{number}").prepare())
    ingest(clean, [logs])
    return _everything(clean)


def _event(number: int) -> bytes:
    """The event of that number, by turns of the person and of the agent."""
    about = {"id": number, "timestamp": f"2026-01-02T10:00:{number:02}"}
    if number % 2 == 0:
        return json.dumps(
            {**about, "source": "user", "action": "message", "args": {"content": f"Say {number}"}}
        ).encode()
    metrics = {"accumulated_token_usage": {"prompt_tokens": 10 * number}}
    args = {"thought": "", "command": f"echo {number}"}
    return json.dumps(
        {**about, "source": "agent", "action": "run", "args": args, "llm_metrics": metrics}
    ).encode()


def _sdk_event(number: int) -> bytes:
    kind = {"kind": "MessageEvent", "source": "agent" if number % 2 else "user"}
    message = {"content": [{"type": "text", "text": f"Say {number}"}]}
    about = {"id": _uuid(number), "timestamp": f"2026-01-02T10:00:{number:02}"}
    return json.dumps({**about, **kind, "llm_message": message}).encode()


def _uuid(number: int) -> str:
    # Not in the order of the events.
    return f"{(number * 7919) % 65536:08x}-1111-4222-8333-{number:012x}"


def _state(tokens: int) -> bytes:
    metrics = {"model_name": "m", "accumulated_token_usage": {"prompt_tokens": tokens}}
    return json.dumps(
        {
            "id": "conv",
            "agent": {"llm": {"model": "m"}},
            "workspace": {"working_dir": "/home/ada/shop"},
            "stats": {"usage_to_metrics": {"agent": metrics}},
        }
    ).encode()


_FIRST = {f"conv/events/{number}.json": _event(number) for number in range(12)}
_FIRST |= {"conv/event_cache/0-5.json": b"[%s]" % b",".join(map(_event, range(5)))}
_SDK = {f"conv/events/event-{n:05}-{_uuid(n)}.json": _sdk_event(n) for n in range(8)}
_SDK |= {"conv/base_state.json": _state(100)}
_SERVER = {f"{_uuid(999)}/{_uuid(n)}.json": _sdk_event(n) for n in range(8)}
_FORMS = {"first": _FIRST, "sdk": _SDK, "server": _SERVER}


def _write(logs: Path, name: str, content: bytes, second: int = 0) -> None:
    path = logs / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    # What arrived is told apart by its time as well; a clean run sees the same times.
    os.utime(path, ns=(1, (1_700_000_000 + second) * 1_000_000_000))


def _write_all(logs: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        _write(logs, name, content)


@pytest.mark.parametrize("form", _FORMS)
def test_a_folder_is_one_session_and_read_once(context: Context, tmp_path: Path, form: str) -> None:
    _write_all(tmp_path / "logs", _FORMS[form])
    counts = ingest(context, [tmp_path / "logs"])
    files = len(_FORMS[form])
    assert (counts["files"], counts["files_read"], counts["files_part"]) == (files, 1, files - 1)
    assert counts["sessions_new"] == 1
    assert ingest(context, [tmp_path / "logs"]) == {"files": files, "unchanged": files}
    require_sessions(context, [tmp_path / "logs"])


@pytest.mark.slow
@pytest.mark.parametrize(("form", "seed"), list(product(_FORMS, range(4))))
def test_any_order_of_arrival_gives_the_tables_of_one_run(
    context: Context, tmp_path: Path, form: str, seed: int
) -> None:
    """Files arrive in any order, some cut off at first, with other logs among them."""
    chance = random.Random(seed)
    logs = tmp_path / "logs"
    arriving = list(_FORMS[form].items())
    chance.shuffle(arriving)
    write_log(
        logs / "conv" / "notes.jsonl", said("s1", "u1", 0, "Hi."), answered("s1", "u2", 1, "Yes.")
    )
    torn: dict[str, bytes] = {}
    second = 0
    while arriving or torn:
        second += 1
        for name in list(torn):
            if chance.random() < 0.5:
                _write(logs, name, torn.pop(name), second)
        for name, content in [
            arriving.pop() for _ in range(min(len(arriving), chance.randint(1, 6)))
        ]:
            is_torn = chance.random() < 0.3
            _write(logs, name, content[: len(content) // 2] if is_torn else content, second)
            if is_torn:
                torn[name] = content
        ingest(context, [logs])
    assert _everything(context) == _clean(context, tmp_path, logs)
    assert _rows(context, "SELECT count(*) FROM sessions") == [(2,)]


@pytest.mark.slow
def test_a_new_part_has_the_whole_conversation_read_once(context: Context, tmp_path: Path) -> None:
    _write_all(tmp_path, _FIRST)
    ingest(context, [tmp_path / "conv"])
    _write(tmp_path, "conv/events/12.json", _event(12))
    counts = ingest(context, [tmp_path / "conv"])
    assert (counts["files_read"], counts["files_part"], counts["steps_new"]) == (1, 1, 1)
    assert _refs(context) == [str(number) for number in range(13)]


def test_a_changed_state_has_the_conversation_read_again(context: Context, tmp_path: Path) -> None:
    _write_all(tmp_path, _SDK)
    ingest(context, [tmp_path / "conv"])
    _write(tmp_path, "conv/base_state.json", _state(700), 1)
    counts = ingest(context, [tmp_path / "conv"])
    assert (counts["files_read"], counts["files_part"], counts["steps_new"]) == (1, 1, 0)
    assert _rows(context, "SELECT sum(input_tokens)::INT, count(*) FROM steps") == [(700, 8)]


def test_other_conversations_are_left_alone(context: Context, tmp_path: Path) -> None:
    for name in ("a", "b"):
        _write_all(tmp_path / name, _FIRST)
    (tmp_path / "b" / "conv").rename(tmp_path / "b" / "other")
    ingest(context, [tmp_path / "a", tmp_path / "b"])
    assert _rows(context, "SELECT count(*) FROM sessions") == [(2,)]
    _write(tmp_path, "a/conv/events/12.json", _event(12))
    assert ingest(context, [tmp_path / "a", tmp_path / "b"])["files_read"] == 1


@pytest.mark.slow
def test_an_earlier_event_that_comes_late_leads(context: Context, tmp_path: Path) -> None:
    late = {name: _FIRST[name] for name in ("conv/events/0.json", "conv/events/1.json")}
    _write_all(tmp_path, {name: data for name, data in _FIRST.items() if name not in late})
    ingest(context, [tmp_path / "conv"])
    _write_all(tmp_path, late)
    counts = ingest(context, [tmp_path / "conv"])
    # The new ones, and the one that led before.
    assert (counts["files_read"], counts["files_part"]) == (1, 2)
    assert _refs(context) == [str(number) for number in range(12)]
    assert _everything(context) == _clean(context, tmp_path, tmp_path / "conv")


@pytest.mark.parametrize(
    "content", [b'{"id": 0, "sour', b'{"hello": 1}', b""], ids=["torn", "other", "empty"]
)
@pytest.mark.slow
def test_a_first_event_that_breaks_gives_way_to_the_next(
    context: Context, tmp_path: Path, content: bytes
) -> None:
    _write_all(tmp_path, _FIRST)
    ingest(context, [tmp_path / "conv"])
    _write(tmp_path, "conv/events/0.json", content, 1)
    ingest(context, [tmp_path / "conv"])
    assert _refs(context) == [str(number) for number in range(1, 12)]
    assert _everything(context) == _clean(context, tmp_path, tmp_path / "conv")
    _write(tmp_path, "conv/events/0.json", _FIRST["conv/events/0.json"], 2)
    ingest(context, [tmp_path / "conv"])
    assert _everything(context) == _clean(context, tmp_path, tmp_path / "conv")


@pytest.mark.parametrize("gone", [(3,), (0,), (0, 3), (11, 3, 5)], ids=str)
@pytest.mark.slow
def test_what_was_read_of_a_deleted_part_stays(
    context: Context, tmp_path: Path, gone: tuple[int, ...]
) -> None:
    """Also while the conversation goes on without it; and it counts once when it is back."""
    _write_all(tmp_path, _FIRST)
    ingest(context, [tmp_path / "conv"])
    for number in gone:
        (tmp_path / "conv" / "events" / f"{number}.json").unlink()
    ingest(context, [tmp_path / "conv"])
    assert _refs(context) == [str(number) for number in range(12)]
    for number in (12, 13):
        _write(tmp_path, f"conv/events/{number}.json", _event(number))
        ingest(context, [tmp_path / "conv"])
    assert sorted(map(int, _refs(context))) == list(range(14))
    for number in gone:
        _write(tmp_path, f"conv/events/{number}.json", _event(number))
    ingest(context, [tmp_path / "conv"])
    assert _everything(context) == _clean(context, tmp_path, tmp_path / "conv")


@pytest.mark.slow
def test_a_conversation_that_is_gone_stays(context: Context, tmp_path: Path) -> None:
    _write_all(tmp_path, _FIRST)
    ingest(context, [tmp_path])
    before = _everything(context)
    shutil.rmtree(tmp_path / "conv")
    ingest(context, [tmp_path])
    assert _everything(context)["steps"] == before["steps"]


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True], ids=["all-there", "one-gone"])
def test_a_run_killed_before_it_reads_goes_on(context: Context, tmp_path: Path, lost: bool) -> None:
    _write_all(tmp_path, _FIRST)
    ingest(context, [tmp_path / "conv"])
    if lost:
        (tmp_path / "conv" / "events" / "3.json").unlink()
    _write(tmp_path, "conv/events/12.json", _event(12))
    manner = manner_of(SourcesConfig(), None)
    with context.warehouse() as connection:
        known = load_known(connection)
        plan = plan_reading(list_files([tmp_path / "conv"]), known, manner)
        with transaction(connection):
            record_plan(connection, plan)
    ingest(context, [tmp_path / "conv"])
    assert _refs(context) == [str(number) for number in range(13)]


@pytest.mark.slow
def test_an_excluded_conversation_leaves_no_text(context: Context, tmp_path: Path) -> None:
    config = Config(sources=SourcesConfig(exclude=["/home/ada"]))
    excluding = replace(context, config=config)
    _write_all(tmp_path, {name: data for name, data in _SDK.items() if "event-00000" not in name})
    counts = ingest(excluding, [tmp_path / "conv"])
    assert (counts["files_excluded"], counts["files_part"]) == (1, 7)
    _write_all(tmp_path, _SDK)
    ingest(excluding, [tmp_path / "conv"])
    assert [_rows(context, f"SELECT * FROM {name}") for name in ("steps", "sessions")] == [[], []]
    status = "SELECT status, count(*) FROM source_files GROUP BY ALL ORDER BY ALL"
    assert _rows(context, status) == [("excluded", 1), ("part", 8)]
    assert ingest(context, [tmp_path / "conv"])["sessions_new"] == 1


@pytest.mark.slow
def test_copies_of_a_folder_count_once(context: Context, tmp_path: Path) -> None:
    """The one with more events speaks, whichever comes first."""
    _write_all(tmp_path / "a", {name: _SDK[name] for name in list(_SDK)[:5]})
    _write_all(tmp_path / "b", _SDK)
    for order in (("a", "b"), ("b", "a")):
        home = replace(context, home=Home(tmp_path / f"home-{order[0]}").prepare())
        for name in order:
            ingest(home, [tmp_path / name])
        summarise_sessions(home)
        rows = _rows(home, "SELECT steps, person_turns, source_path FROM sessions")
        assert [(steps, turns, Path(path).parts[-4]) for steps, turns, path in rows] == [
            (8, 4, "b")
        ]


@pytest.mark.slow
def test_a_part_given_alone_says_what_it_is(context: Context, tmp_path: Path) -> None:
    _write_all(tmp_path, _FIRST)
    ingest(context, [tmp_path / "conv" / "events" / "5.json"])
    told = "SELECT status, split_part(detail, ';', 1), session_keys FROM source_files"
    assert _rows(context, told) == [("part", "part of a conversation", [])]
    ingest(context, [tmp_path / "conv"])
    assert _everything(context) == _clean(context, tmp_path, tmp_path / "conv")


def test_a_long_conversation_is_listed_once(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file of a folder lists it again, nor reads the first one again."""
    files = {f"conv/events/{number}.json": _event(number) for number in range(300)}
    _write_all(tmp_path, files)
    for folder in (tmp_path / "conv", tmp_path / "conv" / "events"):
        os.utime(folder, ns=(1, 1_700_000_000_000_000_000))
    listed: list[Path] = []
    monkeypatch.setattr(folders, "_listing", _noting(listed, folders._listing))
    ingest(context, [tmp_path / "conv"])
    assert len(listed) == len(set(listed))
    assert _rows(context, "SELECT count(*) FROM steps") == [(300,)]


def _noting(noted: list[Path], function: Any) -> Any:
    def call(folder: Path) -> Any:
        noted.append(folder)
        return function(folder)

    return call
