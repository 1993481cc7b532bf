"""Frames and numbers that the pages show, computed from the snapshot's tables."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from dashboards.words import STATUS_WORDS

NO_RATE: Mapping[str, Any] = {"affected": 0, "sessions": 0, "rate": None}
SEVERITY_LEVELS = {"low": 1, "medium": 2, "high": 3}
STATE_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Waiting": ("open", "planned"),
    "In work": ("patching", "verifying"),
    "To review": ("proposed",),
    "Merged": ("merged", "watching", "resolved"),
    "Stopped": ("regressed", "rejected", "failed", "expired"),
}
PICKED_SESSIONS = 500
NOT_MEASURED = "not measured on your labels: signals review, then signals calibrate"
GAP_DAYS = 7


class SessionCounts(NamedTuple):
    """What became of the sessions."""

    seen: int
    excluded: int
    judged: int
    pending: int
    unscored: int
    waiting: int


def session_counts(coverage: pl.DataFrame) -> SessionCounts:
    """Sessions by status, from the table `coverage`."""
    sessions = coverage.filter(pl.col("area") == "sessions")
    totals = dict(sessions.group_by("status").agg(pl.col("count").sum()).rows())
    statuses = [int(totals.get(status, 0)) for status in SessionCounts._fields[1:]]
    return SessionCounts(sum(totals.values()), *statuses)


def coverage_rows(coverage: pl.DataFrame, area: str) -> pl.DataFrame:
    """Status in words, reason and count of one area, the largest first."""
    return coverage.filter(pl.col("area") == area).select(
        pl.col("status").replace(STATUS_WORDS), "reason", "count"
    )


def rate_of(rates: pl.DataFrame, polarity: str, type_: str = "any") -> Mapping[str, Any]:
    """The one rate of (polarity, type); without `rate` where it is withheld or unknown."""
    rows = rates.filter(pl.col("polarity") == polarity, pl.col("type") == type_)
    return rows.row(0, named=True) if rows.height else NO_RATE


def definition_changes(changes: pl.DataFrame, polarity: str, type_: str) -> pl.DataFrame:
    """Day and words of each change of the schema that a line over time runs over.

    Of the line of whatever type these are the changes of any type of the polarity.
    """
    of_line = (pl.lit(type_ == "any")) | (pl.col("name") == type_)
    words = pl.format(
        "version {}: {} {}", "version", pl.col("name").str.replace_all("_", " "), "change"
    )
    return (
        changes.filter(pl.col("in_force"), pl.col("target") == polarity, of_line)
        .select(pl.col("created_at").dt.date().alias("day"), words.alias("words"))
        .group_by("day", maintain_order=True)
        .agg(pl.col("words").str.join("; "))
    )


def accuracy(quality: pl.DataFrame, polarity: str, type_: str = "any") -> str:
    """How well the judge of these figures agrees with labels, in a line; of several, each.

    A type that the rubric does not know is not measured.
    """
    rows = quality.filter(pl.col("polarity") == polarity, pl.col("type") == type_)
    said = list(dict.fromkeys(rows.select("judge", "statement").rows()))
    if len({name for name, _ in said}) < 2:
        return "; ".join(line for _, line in said) or NOT_MEASURED
    return "; ".join(f"{name}: {line}" for name, line in said)


def accuracy_rows(quality: pl.DataFrame, types: pl.DataFrame) -> pl.DataFrame:
    """For each (polarity, type) of `types`, once and in its order, what `accuracy` says of it."""
    named = types.select("polarity", "type").unique(maintain_order=True).rows()
    return pl.DataFrame(
        [(polarity, type_, accuracy(quality, polarity, type_)) for polarity, type_ in named],
        schema={"polarity": pl.String, "type": pl.String, "agreement with labels": pl.String},
        orient="row",
    )


def in_stretches(daily: pl.DataFrame) -> pl.DataFrame:
    """Daily rows in order, with the number of their `stretch` and whether they are `alone` in it.

    A stretch ends where GAP_DAYS or more pass until the next day with sessions.
    """
    gap = pl.col("day").diff() >= pl.duration(days=GAP_DAYS)
    numbered = daily.sort("day").with_columns(stretch=gap.fill_null(False).cum_sum())
    return numbered.with_columns(alone=pl.len().over("stretch") == 1)


def release_labels(rates: pl.DataFrame) -> pl.DataFrame:
    """`rates` with a `label`: the release, with its agent where there are several agents."""
    several = rates["agent"].n_unique() > 1
    label = pl.format("{} {}", "agent", "release") if several else pl.col("release")
    return rates.with_columns(label=label)


def session_choices(sessions: pl.DataFrame, feeling: str | None, search: str) -> pl.DataFrame:
    """Judged sessions to pick from, those with most friction first, at most `PICKED_SESSIONS`.

    `feeling` keeps sessions with that polarity; `search` is looked for, in any case, in the key,
    project, agent, release and user.
    """
    chosen = sessions.filter(pl.col("status") == "judged")
    if feeling:
        chosen = chosen.filter(pl.col(f"{feeling}_moments") > 0)
    if search.strip():
        searched = pl.concat_str(
            ["session_key", "project", "agent", "release", "user_id"],
            separator="\n",
            ignore_nulls=True,
        )
        found = searched.str.to_lowercase().str.contains(search.strip().lower(), literal=True)
        chosen = chosen.filter(found)
    first = feeling or "friction"
    return chosen.sort(
        [f"{first}_moments", "day", "session_key"], descending=[True, True, False]
    ).head(PICKED_SESSIONS)


def placed_moments(moments: pl.DataFrame) -> pl.DataFrame:
    """Moments with their `height` on the timeline: 1 to 3 by severity, friction downwards."""
    level = pl.col("severity").replace_strict(SEVERITY_LEVELS, return_dtype=pl.Int64)
    sign = pl.when(pl.col("polarity") == "friction").then(-1).otherwise(1)
    return moments.drop_nulls("position").with_columns(
        height=level * sign, feeling=pl.format("{} {}", "severity", "polarity")
    )


def tasks_by_group(tasks: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Tasks in the columns of the board."""
    return {
        group: tasks.filter(pl.col("state").is_in(states)) for group, states in STATE_GROUPS.items()
    }
