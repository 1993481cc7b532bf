"""Rates of sessions with friction and delight, each with its interval.

A rate is a proportion of *sessions*, not of moments: a session with five rejected edits counts
once. Its denominator is the sessions in which such a moment could have been seen.
"""

from collections.abc import Sequence

import polars as pl

from agent_core.proportions import wilson_interval

ANY = "any"
"""The `type` of a row that counts sessions with a moment of whatever type."""
AUTONOMOUS_FRICTION = "error_event"
"""The one friction type that applies to runs without a person."""

SESSIONS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "agent": pl.String(),
    "release": pl.String(),
    "user_id": pl.String(),
    "project": pl.String(),
    "day": pl.Date(),
    "is_autonomous": pl.Boolean(),
    "exclusion": pl.String(),
}
JUDGEMENTS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "status": pl.String(),
    "current": pl.Boolean(),
}
MOMENTS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "polarity": pl.String(),
    "type": pl.String(),
}
RATES_SCHEMA: dict[str, pl.DataType] = {
    "polarity": pl.String(),
    "type": pl.String(),
    "affected": pl.Int64(),
    "sessions": pl.Int64(),
    "users": pl.Int64(),
    "session_users": pl.Int64(),
    "rate": pl.Float64(),
    "rate_low": pl.Float64(),
    "rate_high": pl.Float64(),
}
"""What `session_rates` adds to its `by` columns.

`affected` of `sessions` had such a moment; `users` are distinct among the affected,
`session_users` among all of `sessions` (all unknown users count as one). `rate` and its bounds
are in [0, 1], null where `sessions` is 0.
"""


def session_rates(
    sessions: pl.DataFrame,
    judgements: pl.DataFrame,
    moments: pl.DataFrame,
    *,
    by: Sequence[str] = (),
) -> pl.DataFrame:
    """Rates of eligible sessions with each (polarity, type), and of any type, in each group.

    Takes frames with at least the columns of `SESSIONS_SCHEMA`, `JUDGEMENTS_SCHEMA` and
    `MOMENTS_SCHEMA`; returns `by` + `RATES_SCHEMA`, ordered by group, friction before delight,
    most affected first. A session whose group is null (an unknown release) is left out. Each
    group has a row for each type seen in any group, so a type that went away shows as 0. Without
    `by` the `any` rows are there even when no session is eligible.
    """
    eligible = eligible_sessions(sessions, judgements)
    counted = _counting_moments(eligible, moments)
    kinds = _kinds(counted)
    counts = _count(_exposures(eligible.drop_nulls(list(by)), kinds), counted, by)
    if not by:
        counts = kinds.join(counts, on=["polarity", "type"], how="left").with_columns(
            pl.col("affected", "sessions", "users", "session_users").fill_null(0)
        )
    return _in_order(_with_intervals(counts), by).select(*by, *RATES_SCHEMA)


def eligible_sessions(sessions: pl.DataFrame, judgements: pl.DataFrame) -> pl.DataFrame:
    """The sessions a rate may count: selected, and their current judgement is `judged`."""
    judged = judgements.filter(pl.col("current") & (pl.col("status") == "judged"))
    selected = sessions.filter(pl.col("exclusion").is_null())
    return selected.join(judged.select("session_key").unique(), on="session_key", how="semi")


def _counting_moments(eligible: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """One row for each (session, polarity, type), and one of type `any` for each polarity."""
    typed = (
        moments.select(*MOMENTS_SCHEMA)
        .join(eligible.select("session_key", "is_autonomous"), on="session_key")
        .filter(_applies())
        .select(*MOMENTS_SCHEMA)
    )
    return pl.concat([typed, typed.with_columns(type=pl.lit(ANY))]).unique()


def _applies() -> pl.Expr:
    """Whether a row's (polarity, type) can be seen in a session with its `is_autonomous`."""
    needs_person = (pl.col("polarity") == "friction") & ~pl.col("type").is_in(
        [ANY, AUTONOMOUS_FRICTION]
    )
    return ~(needs_person & pl.col("is_autonomous"))


def _kinds(counted: pl.DataFrame) -> pl.DataFrame:
    """Distinct (polarity, type), with `any` of both polarities whether or not it was seen."""
    any_type = pl.DataFrame({"polarity": ["friction", "delight"], "type": [ANY, ANY]})
    return pl.concat([any_type, counted.select("polarity", "type")]).unique()


def _exposures(eligible: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    return eligible.join(kinds, how="cross").filter(_applies())


def _count(exposures: pl.DataFrame, counted: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    user = pl.col("user_id").fill_null("")
    hit = pl.col("hit").is_not_null()
    flagged = exposures.join(
        counted.with_columns(hit=pl.lit(True)), on=list(MOMENTS_SCHEMA), how="left"
    )
    return flagged.group_by(*by, "polarity", "type").agg(
        affected=hit.sum().cast(pl.Int64),
        sessions=pl.len().cast(pl.Int64),
        users=user.filter(hit).n_unique().cast(pl.Int64),
        session_users=user.n_unique().cast(pl.Int64),
    )


def _with_intervals(counts: pl.DataFrame) -> pl.DataFrame:
    """Add rate and bounds; each distinct (affected, sessions) is computed once."""
    pairs = counts.select("affected", "sessions").filter(pl.col("sessions") > 0).unique()
    bounds = [wilson_interval(*pair) for pair in pairs.iter_rows()]
    known = pairs.with_columns(
        pl.Series("rate_low", [b.low for b in bounds], pl.Float64),
        pl.Series("rate_high", [b.high for b in bounds], pl.Float64),
        rate=pl.col("affected") / pl.col("sessions"),
    )
    return counts.join(known, on=["affected", "sessions"], how="left")


def _in_order(rates: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    keys = [*by, "polarity", pl.col("type") == ANY, "affected", "type"]
    descending = [*(False for _ in by), True, True, True, False]
    return rates.sort(keys, descending=descending)
