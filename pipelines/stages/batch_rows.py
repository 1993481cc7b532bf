"""Rows of batches: what was handed in, what is open, what the endpoint says of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import NamedTuple

import duckdb
import polars as pl

from agent_core.batch import BatchState, OpenAIBatches
from agent_core.batch_file import MAX_REQUESTS
from pipelines.stages.batch_requests import GRACE, WINDOW, Owner, add_owners
from pipelines.warehouse import query, transaction

_LIMITED_FOR = timedelta(days=7)
_TOO_LARGE = "failed: token_limit_exceeded"


class PartLimit(NamedTuple):
    """Requests of one batch, and batches of one pass."""

    requests: int
    parts: float


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch whose answers are not collected; `batch_id` is None where it is not confirmed."""

    marker: str
    batch_id: str | None
    input_file: str | None
    base_url: str
    status: str
    requests: int
    submitted_at: datetime
    expires_at: datetime | None

    @property
    def until(self) -> datetime:
        """When its answers are due at the latest, as far as is known."""
        return self.expires_at or self.submitted_at + WINDOW

    @property
    def given_up_at(self) -> datetime:
        """From then on nothing is expected of it, whatever the endpoint says."""
        return self.until + GRACE


def open_batches(connection: duckdb.DuckDBPyConnection) -> list[OpenBatch]:
    """Batches that are not collected, the oldest first."""
    rows = query(
        connection,
        "SELECT marker, batch_id, input_file, base_url, status, requests, submitted_at, expires_at "
        "FROM batches WHERE collected_at IS NULL ORDER BY submitted_at, marker",
    )
    return [OpenBatch(**row) for row in rows.iter_rows(named=True)]


def part_limit(
    connection: duckdb.DuckDBPyConnection, endpoint: OpenAIBatches, now: datetime
) -> PartLimit:
    """What the endpoint takes at a time, as far as is known.

    Where it held a batch for too large within a week: half of that, one after the other.
    """
    sizes = connection.execute(
        "SELECT requests FROM batches WHERE (base_url, model, status) = (?, ?, ?) "
        "AND collected_at > ? ORDER BY submitted_at DESC, requests LIMIT 1",
        [endpoint.base_url, endpoint.model, _TOO_LARGE, now - _LIMITED_FOR],
    ).fetchall()
    if not sizes:
        return PartLimit(MAX_REQUESTS, inf)
    at_once = [one for one in open_batches(connection) if one.base_url == endpoint.base_url]
    return PartLimit(max(1, int(sizes[0][0]) // 2), 0 if at_once else 1)


def add_intent(
    connection: duckdb.DuckDBPyConnection,
    batch: OpenBatch,
    model: str,
    owners: Mapping[str, Sequence[Owner]],
) -> None:
    """Write down what is about to be handed in, before anything is; in the caller's transaction."""
    connection.execute(
        "INSERT INTO batches (marker, base_url, model, status, requests, submitted_at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [batch.marker, batch.base_url, model, batch.status, batch.requests, batch.submitted_at],
    )
    add_owners(connection, dict.fromkeys(owners, batch.marker), owners)


def note_upload(connection: duckdb.DuckDBPyConnection, marker: str, file_id: str) -> None:
    """Keep what the endpoint calls the file of requests."""
    connection.execute("UPDATE batches SET input_file = ? WHERE marker = ?", [file_id, marker])


def note_state(connection: duckdb.DuckDBPyConnection, marker: str, state: BatchState) -> None:
    """Keep what the endpoint says of a batch."""
    connection.execute(
        "UPDATE batches SET batch_id = ?, input_file = ?, status = ?, "
        "expires_at = coalesce(?, expires_at) WHERE marker = ?",
        [state.batch_id, state.input_file, state.status, state.expires_at, marker],
    )


def withdraw(connection: duckdb.DuckDBPyConnection, marker: str) -> None:
    """Forget a batch that the endpoint does not have."""
    with transaction(connection):
        connection.execute("DELETE FROM batch_requests WHERE marker = ?", [marker])
        connection.execute("DELETE FROM batches WHERE marker = ?", [marker])


def settle_batch(
    connection: duckdb.DuckDBPyConnection,
    batch: OpenBatch,
    status: str,
    outcomes: pl.DataFrame,
    now: datetime,
) -> Counter[str]:
    """Close a batch by its `outcomes` and return their counts; what is dropped waits no more."""
    counts = Counter[str](outcomes["status"])
    connection.register("incoming", outcomes.to_arrow())
    connection.execute(
        "UPDATE batch_requests SET status = incoming.status, reason = incoming.reason "
        "FROM incoming WHERE marker = ? AND batch_requests.custom_id = incoming.custom_id "
        "AND batch_requests.session_key = incoming.session_key",
        [batch.marker],
    )
    connection.unregister("incoming")
    connection.execute("DELETE FROM batch_requests WHERE status = 'dropped'")
    connection.execute(
        "UPDATE batches SET status = ?, collected_at = ?, answered = ?, failed = ?, dropped = ? "
        "WHERE marker = ?",
        [status, now, counts["answered"], counts["failed"], counts["dropped"], batch.marker],
    )
    return counts
