"""What the rules and the model say of the sessions that a cascade chooses from."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

import duckdb
import orjson
import polars as pl

from judges.cascade import expected_change
from judges.verdict import JudgeIdentity
from pipelines.context import Context
from pipelines.run_estimate import SESSION_BYTES, calls_of
from pipelines.stages.batch_requests import IS_BY_JUDGE
from pipelines.stages.judgement_rows import quiet_since
from pipelines.warehouse import query, replace_rows


class Verdicts(NamedTuple):
    """A judged session: each turn's score, and where friction was found."""

    scores: Mapping[str, float | None]
    """By the turn's source_ref."""
    friction_turns: frozenset[str]
    has_friction: bool
    score: float | None

    def expected_change(self) -> float:
        """Verdicts that a better judge is expected to turn over; of a run without turns its own."""
        if not self.scores:
            return expected_change([self.score], [self.has_friction])
        says = [ref in self.friction_turns for ref in self.scores]
        return expected_change(list(self.scores.values()), says)


class Seen(NamedTuple):
    """A selected, quiet session with the standing verdicts on what it holds now."""

    session_key: str
    content_hash: str
    user: str
    rules: Verdicts | None
    """None: not judged, or not to be judged by them."""
    model: Verdicts | None
    model_status: str | None
    """None: the model has not been asked."""
    tokens_sent: int
    """To this model."""


def seen_sessions(
    connection: duckdb.DuckDBPyConnection, identity: JudgeIdentity, context: Context
) -> list[Seen]:
    """All sessions that a draw of the audit can meet: selected and quiet, in order of key.

    Verdicts are the newest of any rules judge, and those of exactly the model judge named.
    """
    rows = query(
        connection,
        f"""
        WITH rules AS (
            FROM judgements WHERE judge = 'rules' QUALIFY row_number() OVER (
                PARTITION BY session_key, content_hash ORDER BY judged_at DESC, judgement_id) = 1
        ), model AS (
            FROM judgements WHERE {IS_BY_JUDGE}
        )
        SELECT s.session_key, s.content_hash, coalesce(s.user_id, '') AS user,
            rules: {{s: rules.status, t: rules.turns, m: rules.moments, f: rules.friction_score}},
            model: {{s: model.status, t: model.turns, m: model.moments, f: model.friction_score}},
            coalesce(model.tokens_sent, 0) AS tokens_sent
        FROM sessions s
        LEFT JOIN rules USING (session_key, content_hash)
        LEFT JOIN model USING (session_key, content_hash)
        WHERE s.exclusion IS NULL AND s.content_hash IS NOT NULL
          AND coalesce(s.ended_at, s.started_at, s.first_seen) <= ?
        ORDER BY s.session_key
        """,
        [*astuple(identity), quiet_since(context)],
    )
    return [_seen(row) for row in rows.iter_rows(named=True)]


def reading_sizes(
    connection: duckdb.DuckDBPyConnection, session_keys: Sequence[str]
) -> dict[str, int]:
    """About how many tokens each session takes, sent and received; each content is sized once."""
    _size_unsized(connection, session_keys)
    rows = query(
        connection,
        "SELECT session_key, bytes FROM reading_sizes WHERE session_key IN (SELECT unnest(?))",
        [list(session_keys)],
    )
    tokens = {
        key: sum(t.input + t.output for t in calls_of(size)) for key, size in rows.iter_rows()
    }
    return dict.fromkeys(session_keys, 0) | tokens


def _size_unsized(connection: duckdb.DuckDBPyConnection, session_keys: Sequence[str]) -> None:
    """Keep the bytes of sessions that have grown or are new: their text is read this once."""
    unsized = query(
        connection,
        "SELECT session_key, content_hash FROM sessions ANTI JOIN reading_sizes "
        "USING (session_key, content_hash) WHERE session_key IN (SELECT unnest(?))",
        [list(session_keys)],
    )
    sizes = query(connection, SESSION_BYTES, [unsized["session_key"].to_list()])
    sized = unsized.join(sizes.select("session_key", "bytes"), on="session_key")
    replace_rows(connection, "reading_sizes", sized.cast({"bytes": pl.Int64}))


def _seen(row: Mapping[str, Any]) -> Seen:
    return Seen(
        row["session_key"],
        row["content_hash"],
        row["user"],
        _verdicts(row["rules"]),
        _verdicts(row["model"]),
        row["model"]["s"],
        row["tokens_sent"],
    )


def _verdicts(judgement: Mapping[str, Any]) -> Verdicts | None:
    if judgement["s"] != "judged":
        return None
    turns, moments = orjson.loads(judgement["t"]), orjson.loads(judgement["m"])
    friction = [moment for moment in moments if moment["polarity"] == "friction"]
    scores = {turn["source_ref"]: turn["friction_score"] for turn in turns}
    return Verdicts(
        scores=scores,
        friction_turns=frozenset(m["turn_ref"] for m in friction) & scores.keys(),
        has_friction=bool(friction),
        score=judgement["f"],
    )
