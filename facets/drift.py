"""Which values grow, shrink, appear and vanish from one window of days to the next.

A value's share is the sessions that show it of those that could have. The recent window is held
against the one right before it by Fisher's exact test, over everything that is compared corrected
(Benjamini and Hochberg, 1995), with Newcombe's interval of the change. Where the sessions do not
allow for an answer, the answer is `unclear` and says why.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control, fisher_exact

from agent_core.proportions import newcombe_interval

Change = Literal["grows", "shrinks", "appears", "vanishes", "steady", "unclear"]

SESSIONS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "user_id": pl.String(),
    "day": pl.Date(),
}
"""A null user counts as one user."""
EXPOSED_SCHEMA: dict[str, pl.DataType] = {
    "target": pl.String(),
    "value": pl.String(),
    "session_key": pl.String(),
    "reader": pl.String(),
}
"""A session that could have shown the values of a target, or where `value` is not null that value
alone. `reader` is who would have said so, such as a judge: windows are compared by the readings of
one reader only, the one that read most of the recent sessions, lest another judge look like a
change of what people do.
"""
SHOWN_SCHEMA: dict[str, pl.DataType] = {
    "target": pl.String(),
    "value": pl.String(),
    "session_key": pl.String(),
}
"""A session that shows a value; a repeated row counts once."""
DRIFT_SCHEMA: dict[str, pl.DataType] = {
    "target": pl.String(),
    "value": pl.String(),
    "change": pl.String(),
    "reason": pl.String(),
    "affected_before": pl.Int64(),
    "sessions_before": pl.Int64(),
    "affected_after": pl.Int64(),
    "sessions_after": pl.Int64(),
    "users_after": pl.Int64(),
    "change_low": pl.Float64(),
    "change_high": pl.Float64(),
    "q_value": pl.Float64(),
    "before_from": pl.Date(),
    "after_from": pl.Date(),
}
"""One row a value. `change_low` to `change_high` is the 95 % interval of the recent share minus the
one before; null, as `q_value`, where a window has no session. `reason` says why it is unclear.
"""


STEADY_AT_LEAST, STEADY_AT_MOST = 0.02, 0.1


@dataclass(frozen=True, slots=True)
class Windows:
    """The recent days and those right before them; the recent ones end at the last day there is."""

    recent_days: int = 7
    earlier_days: int = 28


@dataclass(frozen=True, slots=True)
class DriftFloors:
    """What a comparison needs."""

    sessions: int = 20
    """Sessions of either window that could show the value."""
    affected: int = 5
    """Sessions of both windows that do; of the recent one for `appears`."""
    users: int = 1
    """Distinct users of the window that shows more of it."""
    false_discovery_rate: float = 0.05
    steady_within: float = 0.5
    """`steady`: as far as the interval tells the share did not change by more than this part of
    itself, nor by more than STEADY_AT_MOST; STEADY_AT_LEAST is never too much."""


class Period(NamedTuple):
    """The first day of each window and the last day of the recent one."""

    before_from: date
    after_from: date
    last: date


def find_changes(
    sessions: pl.DataFrame,
    exposed: pl.DataFrame,
    shown: pl.DataFrame,
    values: pl.DataFrame,
    windows: Windows = Windows(),
    floors: DriftFloors = DriftFloors(),
) -> pl.DataFrame:
    """A row of DRIFT_SCHEMA for each (target, value) of `values`, by target and value.

    `sessions`, `exposed` and `shown` have the schemas above; a value that `shown` has and `values`
    lacks is left out. Without sessions there are no rows.
    """
    period = period_of(sessions, windows)
    if period is None:
        return pl.DataFrame(schema=DRIFT_SCHEMA)
    counts = _counts(_placed(sessions, period), exposed, shown, values)
    named = counts.with_columns(
        before_from=pl.lit(period.before_from), after_from=pl.lit(period.after_from)
    )
    return _judged(named, floors).select(*DRIFT_SCHEMA).sort("target", "value")


def period_of(sessions: pl.DataFrame, windows: Windows) -> Period | None:
    """The windows, by the last day of any session; None without sessions."""
    last = sessions["day"].max()
    if not isinstance(last, date):
        return None
    after = last - timedelta(days=windows.recent_days - 1)
    return Period(after - timedelta(days=windows.earlier_days), after, last)


def _placed(sessions: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The sessions of the two windows, with `recent`."""
    return sessions.filter(pl.col("day") >= period.before_from).select(
        "session_key",
        pl.col("user_id").fill_null(""),
        recent=pl.col("day") >= period.after_from,
    )


def _counts(
    placed: pl.DataFrame, exposed: pl.DataFrame, shown: pl.DataFrame, values: pl.DataFrame
) -> pl.DataFrame:
    """Sessions and those affected in both windows, and users, of each value."""
    asked = values.select("target", "value").unique()
    could = _by_one_reader(exposed.join(placed, on="session_key"))
    for_all = could.filter(pl.col("value").is_null()).drop("value").join(asked, on="target")
    for_one = could.filter(pl.col("value").is_not_null()).join(asked, on=["target", "value"])
    pairs = pl.concat([for_all, for_one.select(for_all.columns)])
    pairs = pairs.unique(["target", "value", "session_key"])
    hits = shown.select(*SHOWN_SCHEMA).unique().with_columns(hit=pl.lit(True))
    told = pairs.join(hits, on=list(SHOWN_SCHEMA), how="left")
    hit, recent, user = pl.col("hit").is_not_null(), pl.col("recent"), pl.col("user_id")
    counted = told.group_by("target", "value").agg(
        affected_before=(hit & ~recent).sum().cast(pl.Int64),
        sessions_before=(~recent).sum().cast(pl.Int64),
        affected_after=(hit & recent).sum().cast(pl.Int64),
        sessions_after=recent.sum().cast(pl.Int64),
        users_before=user.filter(hit & ~recent).n_unique().cast(pl.Int64),
        users_after=user.filter(hit & recent).n_unique().cast(pl.Int64),
    )
    return asked.join(counted, on=["target", "value"], how="left").with_columns(
        pl.col("^(affected|sessions|users)_.*$").fill_null(0)
    )


def _by_one_reader(could: pl.DataFrame) -> pl.DataFrame:
    """Of each target the readings by whoever read most of its recent sessions."""
    readers = (
        could.group_by("target", "reader")
        .agg(recently=pl.col("recent").sum(), ever=pl.len())
        .sort("target", "recently", "ever", "reader", descending=[False, True, True, False])
        .unique("target", keep="first", maintain_order=True)
    )
    chosen = readers.select("target", "reader")
    return could.join(chosen, on=["target", "reader"], how="semi", nulls_equal=True)


def _judged(counts: pl.DataFrame, floors: DriftFloors) -> pl.DataFrame:
    """With interval, q-value, change and reason."""
    rows = counts.to_dicts()
    if not rows:
        return pl.DataFrame(schema=DRIFT_SCHEMA)
    lacking = [_lacking(row, floors) for row in rows]
    tested = [row for row, lack in zip(rows, lacking, strict=True) if lack is None]
    p_values = np.array([_p_value(row) for row in tested], dtype=np.float64)
    q_values = iter(false_discovery_control(p_values) if tested else [])
    for row, lack in zip(rows, lacking, strict=True):
        row["change_low"], row["change_high"] = _interval(row)
        row["q_value"] = float(next(q_values)) if lack is None else None
        row["change"], row["reason"] = _change(row, floors) if lack is None else ("unclear", lack)
    return pl.DataFrame(rows, schema_overrides=DRIFT_SCHEMA, infer_schema_length=None)


def _lacking(row: dict[str, int], floors: DriftFloors) -> str | None:
    """Why the value cannot be compared. That few show it in both windows is no choice of results:
    Fisher's test is conditional on how many do."""
    if row["sessions_after"] < floors.sessions:
        return f"fewer than {floors.sessions} recent sessions could show it"
    if row["sessions_before"] < floors.sessions:
        return f"fewer than {floors.sessions} earlier sessions could show it"
    if row["affected_before"] + row["affected_after"] < floors.affected:
        return f"fewer than {floors.affected} sessions show it"
    return None


def _p_value(row: dict[str, int]) -> float:
    affected = [row["affected_after"], row["affected_before"]]
    others = [row["sessions_after"] - affected[0], row["sessions_before"] - affected[1]]
    return float(fisher_exact([affected, others]).pvalue)


def _interval(row: dict[str, int]) -> tuple[float | None, float | None]:
    if not row["sessions_after"] or not row["sessions_before"]:
        return None, None
    return newcombe_interval(
        row["affected_after"], row["sessions_after"], row["affected_before"], row["sessions_before"]
    )


def _change(row: dict[str, float], floors: DriftFloors) -> tuple[Change, str | None]:
    low, high = row["change_low"], row["change_high"]
    if row["q_value"] > floors.false_discovery_rate or low <= 0 <= high:
        if max(-low, high) <= _margin(row, floors):
            return "steady", None
        return "unclear", "the change may be chance, and its interval is wide"
    if row["users_after" if low > 0 else "users_before"] < floors.users:
        return "unclear", f"fewer than {floors.users} users show it"
    if low > 0:
        return ("grows" if row["affected_before"] else "appears"), None
    return ("shrinks" if row["affected_after"] else "vanishes"), None


def _margin(row: dict[str, float], floors: DriftFloors) -> float:
    """The largest change of the share that still is none to speak of."""
    affected = row["affected_before"] + row["affected_after"]
    share = affected / (row["sessions_before"] + row["sessions_after"])
    return min(STEADY_AT_MOST, max(STEADY_AT_LEAST, floors.steady_within * share))
