"""Rows of `model_replies`: answers that are paid for, until the verdict they lead to is kept.

They hold unfiltered text of a model that has read a session: nothing but the judge reads them, and
they go when the session is judged, given up, excluded or gone, and after a month.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import NamedTuple

import duckdb
import polars as pl

from agent_core.model import ModelReply
from agent_core.session import Tokens
from pipelines.warehouse import query, replace_rows

_KEPT_FOR = timedelta(days=30)
"""Of sessions that were never finished; longer than any batch or retry takes."""

MAX_ATTEMPTS = 3
"""How often a session is tried that no verdict comes of."""

# A judge that was changed asks otherwise: while one may still try, its answers are kept, and what
# was answered after the last attempt is for a judge that has not come to its first verdict.
_DROP_GIVEN_UP = """
DELETE FROM model_replies USING (
    SELECT session_key, max(judged_at) AS given_up_at
    FROM judgements SEMI JOIN sessions USING (session_key, content_hash)
    WHERE judge = 'llm' GROUP BY session_key
    HAVING bool_and(status = 'unscored' AND attempts >= ?)) AS held
WHERE model_replies.session_key = held.session_key AND answered_at <= given_up_at
"""


class PaidReply(NamedTuple):
    """An answer and whose request it answers."""

    session_key: str
    request_hash: str
    reply: ModelReply


def keep_replies(
    connection: duckdb.DuckDBPyConnection, replies: Sequence[PaidReply], now: datetime
) -> None:
    """Keep answers; one to the same request of the same session takes the place of the other."""
    rows = {
        (paid.session_key, paid.request_hash): (*paid[:2], _as_json(paid.reply), now)
        for paid in replies
    }
    columns = ["session_key", "request_hash", "reply", "answered_at"]
    frame = pl.DataFrame(list(rows.values()), schema=columns, orient="row")
    replace_rows(connection, "model_replies", frame)


def kept_replies(
    connection: duckdb.DuckDBPyConnection, session_keys: Sequence[str]
) -> dict[str, ModelReply]:
    """The answers kept for these sessions, by the hash of their request."""
    rows = query(
        connection,
        "SELECT request_hash, reply FROM model_replies WHERE session_key IN (SELECT unnest(?)) "
        "ORDER BY answered_at",
        [list(session_keys)],
    )
    return {request_hash: _from_json(reply) for request_hash, reply in rows.iter_rows()}


def drop_replies(connection: duckdb.DuckDBPyConnection, session_keys: Sequence[str]) -> None:
    """Forget the answers of sessions that have their verdict, or are unscored."""
    connection.execute(
        "DELETE FROM model_replies WHERE session_key IN (SELECT unnest(?))", [list(session_keys)]
    )


def drop_unusable_replies(
    connection: duckdb.DuckDBPyConnection, session_key: str, request_hashes: Sequence[str]
) -> None:
    """Forget some answers of a session: its next attempt asks for these anew."""
    connection.execute(
        "DELETE FROM model_replies WHERE session_key = ? AND request_hash IN (SELECT unnest(?))",
        [session_key, list(request_hashes)],
    )


def drop_old_replies(connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """Forget answers that no verdict will come of.

    Those are the answers of a month ago, of sessions that are gone or excluded, and of sessions
    that no judge tries again.
    """
    connection.execute("DELETE FROM model_replies WHERE answered_at < ?", [now - _KEPT_FOR])
    connection.execute(
        "DELETE FROM model_replies WHERE session_key NOT IN "
        "(SELECT session_key FROM sessions WHERE exclusion IS NULL)"
    )
    connection.execute(_DROP_GIVEN_UP, [MAX_ATTEMPTS])


def _as_json(reply: ModelReply) -> str:
    # ASCII escapes: a model's text may hold half a surrogate pair, which UTF-8 has not.
    return json.dumps(
        {
            "text": reply.text,
            "refusal": reply.refusal,
            "finish_reason": reply.finish_reason,
            "tokens": asdict(reply.tokens),
        }
    )


def _from_json(text: str) -> ModelReply:
    held = json.loads(text)
    return ModelReply(
        text=held["text"],
        refusal=held["refusal"],
        finish_reason=held["finish_reason"],
        tokens=Tokens(**held["tokens"]),
    )
