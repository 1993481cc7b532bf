"""Values that no session has shown for long: proposed to leave the schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from agent_core.proportions import wilson_interval
from facets.drift import SHOWN_SCHEMA
from facets.proposal import Proposal, proposal_id

VALUES_SCHEMA: dict[str, pl.DataType] = {
    "target": pl.String(),
    "value": pl.String(),
    "definition": pl.String(),
}
"""What may be retired, with what the schema says of it."""


@dataclass(frozen=True, slots=True)
class RetirementFloors:
    """For how long a value must have been empty; all must hold."""

    sessions: int = 200
    """Sessions since it was last shown that could have shown it."""
    days: int = 28
    """From the day that it was last shown, or from the first session there is, to the last."""
    busy_days: int = 14
    """Days of those that have such sessions: many that came on one day are one occasion."""


def propose_retirements(
    sessions: pl.DataFrame,
    exposed: pl.DataFrame,
    shown: pl.DataFrame,
    values: pl.DataFrame,
    floors: RetirementFloors = RetirementFloors(),
) -> list[Proposal]:
    """A `retire` for each of `values` that has been empty for long, by target and value.

    `sessions`, `exposed` and `shown` have the schemas of `facets.drift`, `values` VALUES_SCHEMA.
    """
    empty = _emptiness(sessions, exposed, shown, values).filter(
        (pl.col("sessions") >= floors.sessions)
        & (pl.col("days") >= floors.days)
        & (pl.col("busy_days") >= floors.busy_days)
    )
    return [_proposal(row) for row in empty.sort("target", "value").iter_rows(named=True)]


def _emptiness(
    sessions: pl.DataFrame, exposed: pl.DataFrame, shown: pl.DataFrame, values: pl.DataFrame
) -> pl.DataFrame:
    """Of each value the last day it was shown, and what has been since."""
    dated = sessions.select("session_key", "day", pl.col("user_id").fill_null(""))
    keys = ["target", "value"]
    seen = shown.select(*SHOWN_SCHEMA).join(dated, on="session_key").group_by(keys)
    could = exposed.join(dated, on="session_key")
    for_all = could.filter(pl.col("value").is_null()).drop("value").join(values, on="target")
    for_one = could.filter(pl.col("value").is_not_null()).join(values, on=keys)
    pairs = pl.concat([for_all, for_one.select(for_all.columns)]).unique([*keys, "session_key"])
    told = pairs.join(seen.agg(last_seen=pl.col("day").max()), on=keys, how="left")
    since = pl.col("last_seen").is_null() | (pl.col("day") > pl.col("last_seen"))
    begun = pl.coalesce("last_seen", pl.col("day").min())
    return told.group_by(*keys, "definition", "last_seen").agg(
        sessions=since.sum().cast(pl.Int64),
        users=pl.col("user_id").filter(since).n_unique().cast(pl.Int64),
        busy_days=pl.col("day").filter(since).n_unique().cast(pl.Int64),
        days=(pl.col("day").max() - begun.first()).dt.total_days(),
    )


def _proposal(row: Mapping[str, Any]) -> Proposal:
    target, value = row["target"], row["value"]
    last_seen: date | None = row["last_seen"]
    return Proposal(
        proposal_id=proposal_id("retire", target, value),
        kind="retire",
        target=target,
        name=value,
        definition=row["definition"],
        sessions=row["sessions"],
        users=row["users"],
        evidence={
            "finding": (
                f"none of {row['sessions']} sessions in {row['days']} days shows it, "
                + ("nor any before" if last_seen is None else f"last seen on {last_seen}")
            ),
            "sessions_without": row["sessions"],
            "days_without": row["days"],
            "busy_days_without": row["busy_days"],
            "last_seen": None if last_seen is None else last_seen.isoformat(),
            "share_at_most": round(wilson_interval(0, row["sessions"]).high, 4),
        },
    )
