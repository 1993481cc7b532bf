"""Ingest and sessions: each step once, whatever the order, and nothing lost."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import BadInputError
from pipelines.config import Config, SelectConfig, SourcesConfig
from pipelines.context import Context
from pipelines.stages.ingest import ingest
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.pipelines.claude_log import answered, said, write_log

_FIRST = (said("s1", "u1", 0, "Add a test."), answered("s1", "u2", 1, "Added."))


def _rows(context: Context, sql: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


def _everything(context: Context) -> dict[str, list[tuple[Any, ...]]]:
    tables = ("source_files", "sessions", "steps", "quarantine")
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
    (tmp_path / "notes.txt").write_text("dear diary")
    (tmp_path / "empty.jsonl").write_text("")
    write_log(tmp_path / "a.jsonl", *_FIRST)
    ingest(context, [tmp_path])
    names = {Path(path).name: status for path, status in
             _rows(context, "SELECT path, status FROM source_files")}  # fmt: skip
    assert names == {"notes.txt": "unknown", "empty.jsonl": "empty", "a.jsonl": "read"}


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
