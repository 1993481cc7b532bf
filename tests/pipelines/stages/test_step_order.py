"""Sessions in several files: one order, nothing lost when one of them changes."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.context import Context
from pipelines.stages.ingest import ingest
from pipelines.stages.sessions import summarise_sessions
from pipelines.stages.step_order import Times, merge_orders
from pipelines.warehouse import query
from tests.pipelines.claude_log import answered, said, write_log

_FIRST = (said("s1", "u1", 0, "Add a test."), answered("s1", "u2", 1, "Added."))
_COPY = (*_FIRST, said("s1", "u3", 2, "Now push."), answered("s1", "u4", 3, "Pushed."))


def _rows(context: Context, sql: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


def _part(first: int, last: int) -> list[dict[str, Any]]:
    return [
        said("s1", f"u{n}", n, "On.") if n % 2 else answered("s1", f"u{n}", n, "Yes.")
        for n in range(first, last + 1)
    ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=str)
@pytest.mark.parametrize(("archive", "tail"), [((1, 6), (5, 10)), ((1, 4), (3, 12)),
                                               ((1, 9), (10, 12)), ((1, 2), (3, 12))])  # fmt: skip
@pytest.mark.slow
def test_steps_of_several_files_are_in_one_order(
    context: Context,
    tmp_path: Path,
    order: tuple[int, ...],
    archive: tuple[int, int],
    tail: tuple[int, int],
) -> None:
    files = [
        write_log(tmp_path / "z-archive.jsonl", *_part(*archive)),
        write_log(tmp_path / "later.jsonl", *_part(*tail)),
    ]
    for number in order:
        ingest(context, [files[number]])
        summarise_sessions(context)
    found = _rows(context, "SELECT source_ref FROM steps ORDER BY position")
    assert found == [(f"u{n}",) for n in range(1, tail[1] + 1)]
    before = _rows(context, "SELECT * FROM steps ORDER BY ALL")
    ingest(context, files)
    summarise_sessions(context)
    assert _rows(context, "SELECT * FROM steps ORDER BY ALL") == before


def test_orders_are_merged_beside_their_neighbours() -> None:
    times = dict.fromkeys("abcxyz")
    assert merge_orders(["abc", "xbyc", "yz"], times) == list("axbyzc")


def _without_ids(*records: dict[str, Any]) -> list[dict[str, Any]]:
    """Records that only their lines tell apart."""
    return [{key: value for key, value in r.items() if key != "uuid"} for r in records]


@pytest.mark.slow
def test_a_copy_stands_when_its_better_is_overwritten(context: Context, tmp_path: Path) -> None:
    better = write_log(tmp_path / "a.jsonl", *_without_ids(*_FIRST))
    copy = write_log(tmp_path / "b.jsonl", *_without_ids(*_FIRST))
    ingest(context, [tmp_path])
    other = [answered("s9", "", n, "Yes.") for n in range(8)]
    write_log(better, *_without_ids(*other))
    ingest(context, [tmp_path])
    summarise_sessions(context)
    assert _rows(context, "SELECT session_id, source_path, steps FROM sessions ORDER BY ALL") == [
        ("s1", str(copy), 2),
        ("s9", str(better), 8),
    ]


class _KilledError(Exception):
    """Ends a run where a kill would."""


def _kill(_what: str, _done: int, _total: int) -> None:
    raise _KilledError


@pytest.mark.slow
def test_killed_before_the_companion_the_next_run_reads_it(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that had taken over a copy's steps is cut; the run ends before it reads the copy."""
    monkeypatch.setattr("pipelines.stages.reading._TASK_FILES", 64)
    monkeypatch.setattr("pipelines.stages.ingest._TRANSACTION_BYTES", 0)
    cut = write_log(tmp_path / "a.jsonl", *_COPY, said("s1", "u5", 4, "Thanks."))
    write_log(tmp_path / "z.jsonl", *_COPY)
    ingest(context, [tmp_path])
    write_log(cut, *_FIRST)
    for number in range(70):  # more than one batch
        write_log(tmp_path / f"m{number}.jsonl", said(f"m{number}", f"m{number}", 0, "Hi."))
    with pytest.raises(_KilledError):
        ingest(replace(context, progress=_kill), [tmp_path])
    of_both = "SELECT count(*) FROM steps WHERE session_key = 'claude_code:s1'"
    assert _rows(context, of_both) == [(2,)]
    ingest(context, [tmp_path])
    assert _rows(context, of_both) == [(4,)]


def test_orders_of_many_alternating_steps_are_merged_in_seconds() -> None:
    """Each second step is missing in the best file."""
    refs = [f"u{number}" for number in range(60_000)]
    begun = time.monotonic()
    merged = merge_orders([refs[::2], refs], dict.fromkeys(refs))
    assert merged == refs
    assert time.monotonic() - begun < 2


@pytest.mark.slow
def test_steps_are_put_in_order_only_when_their_session_was_read_anew(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(tmp_path / "a.jsonl", *_part(1, 6))
    write_log(tmp_path / "b.jsonl", *_part(5, 8))
    merged: list[int] = []

    def count_steps(orders: Sequence[Sequence[str]], times: Times) -> list[str]:
        steps = merge_orders(orders, times)
        merged.append(len(steps))
        return steps

    monkeypatch.setattr("pipelines.stages.step_order.merge_orders", count_steps)
    ingest(context, [tmp_path])
    summarise_sessions(context)
    before = _rows(context, "SELECT rowid, * FROM steps ORDER BY ALL")
    ingest(context, [tmp_path])
    summarise_sessions(context)
    assert merged == [8]
    assert _rows(context, "SELECT rowid, * FROM steps ORDER BY ALL") == before
    write_log(tmp_path / "b.jsonl", *_part(5, 10))
    ingest(context, [tmp_path])
    summarise_sessions(context)
    assert merged == [8, 10]
