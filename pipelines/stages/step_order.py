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

# Ingest takes the hash of each session that it writes; the stage fills it in after this.
_CHANGED = """
FROM file_sessions SEMI JOIN (FROM sessions WHERE content_hash IS NULL) USING (session_key)
SELECT session_key GROUP BY ALL HAVING count(*) > 1
"""
_FILES = f"""
SELECT file_sessions.session_key, source_refs, path = sessions.source_path AS is_best
FROM file_sessions JOIN sessions USING (session_key) JOIN source_files USING (path)
WHERE session_key IN ({_CHANGED})
ORDER BY session_key, is_best DESC, source_files.records DESC, path
"""
_STEPS = f"""
SELECT session_key, source_ref, timestamp, position FROM steps WHERE session_key IN ({_CHANGED})
"""
_UPDATE = """
UPDATE steps SET position = placed.position FROM placed
WHERE steps.session_key = placed.session_key AND steps.source_ref = placed.source_ref
  AND steps.position <> placed.position
"""
Times = Mapping[str, datetime | None]
Links = dict[str | None, str | None]
"""The step after each step: the first stands after None, and None after the last."""


def order_steps(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the positions of the steps of every changed session that stands in several files."""
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
    links: Links = {}
    _insert(links, None, list(dict.fromkeys(orders[0])))
    for order in orders[1:]:
        _add(links, order, backbone, times)
    return list(_steps(links))


def _add(links: Links, order: Sequence[str], backbone: frozenset[str], times: Times) -> None:
    common = frozenset(_steps(links))
    for anchor, chunk in _chunks(order, common):
        first = next((times[ref] for ref in chunk if times[ref]), None)
        place = _start(links, order, common, first, times) if anchor is None else anchor
        # Among what other files have put there already, by time.
        while (
            (after := links[place]) is not None
            and after not in backbone
            and _is_after(first, times[after])
        ):
            place = after
        _insert(links, place, chunk)


def _insert(links: Links, place: str | None, chunk: Sequence[str]) -> None:
    """Put the steps behind the one at `place`."""
    after = links.get(place)
    for ref in chunk:
        links[place] = ref
        place = ref
    links[place] = after


def _steps(links: Links) -> Iterator[str]:
    ref = links[None]
    while ref is not None:
        yield ref
        ref = links[ref]


def _chunks(order: Sequence[str], common: frozenset[str]) -> Iterator[tuple[str | None, list[str]]]:
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
    links: Links,
    order: Sequence[str],
    common: frozenset[str],
    first: datetime | None,
    times: Times,
) -> str | None:
    """The step behind which steps go that no common step precedes; None for the very front."""
    begin = next((times[ref] for ref in _steps(links) if times[ref]), None)
    if first and begin and first < begin:
        return None
    met = next((ref for ref in order if ref in common), None)
    return next(ref for ref, after in links.items() if after == met)


def _is_after(time: datetime | None, other: datetime | None) -> bool:
    return bool(time and other and time >= other)
