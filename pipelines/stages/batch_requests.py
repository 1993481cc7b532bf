"""Rows of requests in batches: whose they are, what became of them, which sessions wait."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import timedelta

import duckdb
import polars as pl

from agent_core.batch_file import Answer
from agent_core.errors import ModelReplyError
from agent_core.model import ModelReply
from judges.verdict import JudgeIdentity
from pipelines.warehouse import query, transaction


class BatchFailedError(ModelReplyError):
    """A request got no answer because its whole batch failed, was cancelled or was lost."""


Owner = tuple[str, str]
"""session_key and content_hash: whose request it is, and what the session held."""

WINDOW = timedelta(days=1)
"""How long a batch may take by the API, where the endpoint does not say until when."""

GRACE = timedelta(days=1)
"""How long after its expiry a batch that has not ended is given up."""

IS_BY_JUDGE = "(judge, judge_version, prompt_version, model, rubric_version) = (?, ?, ?, ?, ?)"
"""Judgements of the judge whose JudgeIdentity, as a tuple, is given."""

STILL_EXPECTED = f"""
FROM batch_requests AS asked JOIN batches USING (marker)
WHERE asked.session_key = known.session_key AND asked.content_hash = known.content_hash
  AND asked.status = 'waiting'
  AND coalesce(expires_at, submitted_at + INTERVAL {WINDOW.days} DAY)
      + INTERVAL {GRACE.days} DAY >= ?
"""
"""Requests of the session in the judgement `known` that may still be answered at a moment."""

_WHOLE_FAILURES = frozenset({"failed", "cancelled", "lost"})
_OUTCOME = {
    "custom_id": pl.String,
    "session_key": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "is_kept": pl.Boolean,
}


def add_owners(
    connection: duckdb.DuckDBPyConnection,
    markers: Mapping[str, str],
    owners: Mapping[str, Sequence[Owner]],
) -> None:
    """Tie sessions to the requests that wait for an answer to them, by custom_id.

    One that has grown since waits as what it holds now.
    """
    rows = pl.DataFrame(
        [(name, markers[name], *owner) for name in markers for owner in owners[name]],
        schema=["custom_id", "marker", "session_key", "content_hash"],
        orient="row",
    )
    if rows.height:
        connection.register("incoming", rows.to_arrow())
        connection.execute(
            "INSERT OR REPLACE INTO batch_requests BY NAME "
            "SELECT *, 'waiting' AS status FROM incoming"
        )
        connection.unregister("incoming")


def waiting_markers(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The batch that each request waits in, by custom_id."""
    rows = query(
        connection,
        "SELECT custom_id, min(marker) FROM batch_requests WHERE status = 'waiting' GROUP BY 1",
    )
    return dict(rows.iter_rows())


def failures_of(
    connection: duckdb.DuckDBPyConnection, session_keys: Sequence[str]
) -> dict[str, dict[str, ModelReplyError]]:
    """Requests that got no answer in a batch, by session and custom_id."""
    rows = query(
        connection,
        "SELECT session_key, custom_id, reason, split_part(batches.status, ':', 1) "
        "FROM batch_requests AS asked JOIN batches USING (marker) "
        "WHERE asked.status = 'failed' AND session_key IN (SELECT unnest(?)) "
        "AND custom_id NOT IN (SELECT custom_id FROM batch_requests WHERE status = 'waiting')",
        [list(session_keys)],
    )
    found: dict[str, dict[str, ModelReplyError]] = {}
    for key, custom_id, reason, became in rows.iter_rows():
        kind = BatchFailedError if became in _WHOLE_FAILURES else ModelReplyError
        found.setdefault(key, {})[custom_id] = kind(reason)
    return found


def pending_sessions(
    connection: duckdb.DuckDBPyConnection, identity: JudgeIdentity
) -> pl.DataFrame:
    """Sessions of this judge whose batches are over, as a frame of `waiting_sessions`.

    Of a session that changed nothing is expected any more; one whose round is in several batches
    waits for all of them.
    """
    return query(
        connection,
        f"""
        SELECT session_key, content_hash, sessions.steps,
               coalesce(ended_at, started_at, first_seen) AS active_at
        FROM sessions JOIN judgements AS known USING (session_key, content_hash)
        WHERE exclusion IS NULL AND known.status = 'pending'
          AND {IS_BY_JUDGE}
          AND (session_key, content_hash) NOT IN (
              SELECT (session_key, content_hash) FROM batch_requests WHERE status = 'waiting')
        ORDER BY session_key
        """,
        [*astuple(identity)],
    )


def sessions_in_batches(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """session_key of all sessions that are pending."""
    return query(
        connection,
        "SELECT DISTINCT session_key FROM judgements SEMI JOIN sessions "
        "USING (session_key, content_hash) WHERE status = 'pending' ORDER BY session_key",
    )


def outcomes_of(
    connection: duckdb.DuckDBPyConnection,
    marker: str,
    answers: Mapping[str, Answer],
    missing: str,
) -> pl.DataFrame:
    """custom_id, session_key, status (answered, failed, dropped), reason of each request, is_kept.

    `missing` is the reason where the batch holds no row. A session that changed, went or is
    judged otherwise waits for nothing: its requests are dropped. The answers to them are kept
    where the session has grown and is not judged: it asks some of them again as they were.
    """
    rows = query(
        connection,
        """
        SELECT custom_id, asked.session_key,
            coalesce(asked.content_hash = now.content_hash AND EXISTS (
                FROM judgements AS known WHERE status = 'pending'
                AND (known.session_key, known.content_hash) = (now.session_key, now.content_hash)
            ), false),
            coalesce(asked.content_hash <> now.content_hash AND NOT EXISTS (
                FROM judgements AS known WHERE judge = 'llm' AND status = 'judged'
                AND (known.session_key, known.content_hash) = (now.session_key, now.content_hash)
            ), false)
        FROM batch_requests AS asked LEFT JOIN (FROM sessions WHERE exclusion IS NULL) AS now
            ON asked.session_key = now.session_key
        WHERE marker = ? ORDER BY custom_id, asked.session_key
        """,
        [marker],
    )
    found = []
    for custom_id, key, is_awaited, has_grown in rows.iter_rows():
        answer = answers.get(custom_id)
        status, reason = _outcome(answer, missing, is_awaited=is_awaited)
        is_kept = status == "answered" or (has_grown and isinstance(answer, ModelReply))
        found.append((custom_id, key, status, reason, is_kept))
    return pl.DataFrame(found, schema=_OUTCOME, orient="row")


def _outcome(answer: Answer | None, missing: str, *, is_awaited: bool) -> tuple[str, str | None]:
    if not is_awaited:
        return "dropped", None
    if answer is None:
        return "failed", missing
    return ("failed", str(answer)) if isinstance(answer, ModelReplyError) else ("answered", None)


def settle_sessions(connection: duckdb.DuckDBPyConnection, session_keys: Sequence[str]) -> None:
    """Forget what became of the requests of sessions that are judged or unscored."""
    connection.execute(
        "DELETE FROM batch_requests WHERE status <> 'waiting' "
        "AND session_key IN (SELECT unnest(?))",
        [list(session_keys)],
    )


def settle_judged(connection: duckdb.DuckDBPyConnection) -> None:
    """As `settle_sessions`, for all that a model has judged: also at once, without a batch."""
    connection.execute(
        "DELETE FROM batch_requests WHERE status <> 'waiting' AND (session_key, content_hash) IN "
        "(SELECT (session_key, content_hash) FROM judgements "
        "WHERE judge = 'llm' AND status IN ('judged', 'unscored'))"
    )


def mark_pending(connection: duckdb.DuckDBPyConnection) -> int:
    """Bring what pending sessions say in line with what they wait for; how many there are.

    A session that waits for nothing any more is not pending: the judge changed, or the session.
    """
    with transaction(connection):
        connection.execute(_WAITING)
        connection.execute(
            "UPDATE judgements SET reason = strftime(until, 'in a batch until %Y-%m-%d %H:%M UTC') "
            "FROM waiting WHERE judgements.status = 'pending' "
            "AND (judgements.session_key, judgements.content_hash) "
            "= (waiting.session_key, waiting.content_hash)"
        )
        waits = "(session_key, content_hash) IN (SELECT (session_key, content_hash) FROM waiting)"
        connection.execute(
            f"DELETE FROM judgements WHERE status = 'pending' AND attempts = 0 AND NOT {waits}"
        )
        connection.execute(
            "UPDATE judgements SET status = 'unscored', "
            "reason = 'left its batch: the judge, the session or the budget changed' "
            f"WHERE status = 'pending' AND NOT {waits}"
        )
        rows = connection.execute("SELECT count(*) FROM judgements WHERE status = 'pending'")
        return int(rows.fetchall()[0][0])


_WAITING = f"""
CREATE OR REPLACE TEMP TABLE waiting AS
SELECT session_key, content_hash,
       max(coalesce(expires_at, submitted_at + INTERVAL {WINDOW.days} DAY)) AS until
FROM batch_requests JOIN batches USING (marker)
WHERE batch_requests.status = 'waiting' GROUP BY ALL
"""
