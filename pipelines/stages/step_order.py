"""The order of a session's steps where several files hold parts of it.

The best file's order is the backbone. What other files add goes behind the step that precedes it
there; what precedes every common step goes in front or behind by its time. The result depends on
the files alone, not on the order in which they came.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import duckdb
import polars as pl

from pipelines.warehouse import query

_FILES = """
SELECT file_sessions.session_key, source_refs, path = sessions.source_path AS is_best
FROM file_sessions JOIN sessions USING (session_key) JOIN source_files USING (path)
WHERE session_key IN (FROM file_sessions SELECT session_key GROUP BY ALL HAVING count(*) > 1)
ORDER BY session_key, is_best DESC, source_files.records DESC, path
"""
_STEPS = """
SELECT session_key, source_ref, timestamp, position FROM steps WHERE session_key IN (
    FROM file_sessions SELECT session_key GROUP BY ALL HAVING count(*) > 1)
"""
_UPDATE = """
UPDATE steps SET position = placed.position FROM placed
WHERE steps.session_key = placed.session_key AND steps.source_ref = placed.source_ref
  AND steps.position <> placed.position
"""
Times = Mapping[str, datetime | None]


def order_steps(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the positions of the steps of every session that stands in several files."""
    times: dict[str, dict[str, datetime | None]] = {}
    for key, ref, time, _ in query(connection, _STEPS).iter_rows():
        times.setdefault(key, {})[ref] = time
    files: dict[str, list[list[str]]] = {}
    for key, refs, is_best in query(connection, _FILES).iter_rows():
        # A place in a file says nothing in another one.
        kept = [ref for ref in refs if is_best or not ref.startswith(("line:", "#"))]
        files.setdefault(key, []).append([ref for ref in kept if ref in times.get(key, {})])
    rows = [
        (key, ref, position)
        for key, orders in files.items()
        for position, ref in enumerate(merge_orders(orders, times.get(key, {})))
    ]
    schema = {"session_key": pl.String, "source_ref": pl.String, "position": pl.Int64}
    connection.register("placed", pl.DataFrame(rows, schema=schema, orient="row").to_arrow())
    connection.execute(_UPDATE)
    connection.unregister("placed")


def merge_orders(orders: Sequence[Sequence[str]], times: Times) -> list[str]:
    """All steps once; the first order is the backbone, the others come in turn."""
    backbone = frozenset(orders[0])
    merged = list(dict.fromkeys(orders[0]))
    for order in orders[1:]:
        _add(merged, order, backbone, times)
    return merged


def _add(merged: list[str], order: Sequence[str], backbone: frozenset[str], times: Times) -> None:
    common = set(merged)
    for anchor, chunk in _chunks(order, common):
        first = next((times[ref] for ref in chunk if times[ref]), None)
        place = (
            _start(merged, order, common, first, times)
            if anchor is None
            else (merged.index(anchor) + 1)
        )
        # Among what other files have put there already, by time.
        while (
            place < len(merged)
            and merged[place] not in backbone
            and _is_after(first, times[merged[place]])
        ):
            place += 1
        merged[place:place] = chunk


def _chunks(order: Sequence[str], common: set[str]) -> Iterator[tuple[str | None, list[str]]]:
    """Runs of new steps, each with the common step before it."""
    anchor: str | None = None
    chunk: list[str] = []
    for ref in dict.fromkeys(order):
        if ref not in common:
            chunk.append(ref)
            continue
        if chunk:
            yield anchor, chunk
        anchor, chunk = ref, []
    if chunk:
        yield anchor, chunk


def _start(
    merged: Sequence[str],
    order: Sequence[str],
    common: set[str],
    first: datetime | None,
    times: Times,
) -> int:
    """Where steps go that no common step precedes."""
    begin = next((times[ref] for ref in merged if times[ref]), None)
    if first and begin and first < begin:
        return 0
    met = next((ref for ref in order if ref in common), None)
    return merged.index(met) if met else len(merged)


def _is_after(time: datetime | None, other: datetime | None) -> bool:
    return bool(time and other and time >= other)
