"""Which sessions a merged patch is measured on, which of them show what, and the control.

Exposure is counted by release, not by the day: a session is "after" where its release holds the
patch, however late older releases still run. "Before" are sessions of releases without it, from
the release on in which the pattern rose. Left out and counted are

- what was known when the breach was found: the pattern was picked for being extreme in just these
  sessions and would fall without any patch. What came in later was not picked;
- sessions of releases of which it is not known whether they hold the patch;
- sessions that another judge judged than most of those after the merge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

from agent_core.release import PATCHABLE
from pipelines.rates import AUTONOMOUS_FRICTION
from pipelines.releases import Releases

SESSIONS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "release": pl.String(),
    "is_autonomous": pl.Boolean(),
    "first_seen": pl.Datetime("us", "UTC"),
    "reader": pl.String(),
}
"""Judged sessions of the agent; `reader` is the judge with all its versions."""
MOMENTS_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "type": pl.String(),
    "tool": pl.String(),
    "error_class": pl.String(),
    "signature": pl.String(),
    "cluster_id": pl.String(),
}
"""Their friction moments."""
_TOOLS = PATCHABLE[1] + "/"


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a task is about; None is any, and what is narrowest alone decides."""

    type: str
    tool: str | None = None
    error_class: str | None = None
    signature: str | None = None
    cluster_id: str | None = None

    def is_shown(self) -> pl.Expr:
        """Whether a moment is of the pattern."""
        if self.cluster_id is not None:
            return pl.col("cluster_id") == self.cluster_id
        if self.signature is not None:
            return pl.col("signature") == self.signature
        if self.tool is None:
            return pl.col("type") == self.type
        if self.error_class is None:
            return pl.col("tool") == self.tool
        exact = (pl.col("tool") == self.tool) & (pl.col("error_class") == self.error_class)
        return (pl.col("type") == self.type) & exact


@dataclass(frozen=True, slots=True)
class Selection:
    """What was known when the task was opened."""

    until: datetime
    """What was first seen by then was looked at when the pattern was picked."""
    by_release: Mapping[str, datetime]
    """The same for releases that breached the pattern again later."""


class Exposure(NamedTuple):
    """Sessions to compare (`effects.SESSIONS_SCHEMA`), and how many were left out."""

    sessions: pl.DataFrame
    window: int
    unknown_release: int
    other_judge: int


class Control(NamedTuple):
    """Friction that the patch cannot have touched."""

    moments: pl.DataFrame
    description: str | None
    """None: there is no such friction to look at."""


def expose(
    sessions: pl.DataFrame, pattern: Pattern, releases: Releases, selection: Selection
) -> Exposure:
    """Sessions before and after; `sessions` has SESSIONS_SCHEMA, see the module."""
    eligible = _eligible(sessions, pattern).with_columns(
        has_patch=pl.col("release").is_in(releases.having),
        is_lacking=pl.col("release").is_in(releases.lacking),
        is_window=pl.col("first_seen") <= _known_by(selection),
    )
    known = eligible.filter(pl.col("has_patch") | pl.col("is_lacking"))
    fresh = known.filter(pl.col("has_patch") | ~pl.col("is_window"))
    same_judge = fresh.filter(pl.col("reader") == _reader(fresh))
    return Exposure(
        same_judge.select("session_key", "has_patch", "first_seen"),
        known.height - fresh.height,
        eligible.height - known.height,
        fresh.height - same_judge.height,
    )


def _eligible(sessions: pl.DataFrame, pattern: Pattern) -> pl.DataFrame:
    """Of the friction types only error_event applies to runs without a person."""
    if pattern.type == AUTONOMOUS_FRICTION:
        return sessions
    return sessions.filter(~pl.col("is_autonomous"))


def _known_by(selection: Selection) -> pl.Expr:
    until = pl.lit(selection.until, pl.Datetime("us", "UTC"))
    if not selection.by_release:
        return until
    later = pl.col("release").replace_strict(
        dict(selection.by_release), default=None, return_dtype=pl.Datetime("us", "UTC")
    )
    return pl.max_horizontal(until, later)


def _reader(sessions: pl.DataFrame) -> str:
    """Who judged most of the sessions with the patch, or of all while there are none."""
    after = sessions.filter(pl.col("has_patch"))
    counted = (after if after.height else sessions)["reader"].value_counts()
    return "" if not counted.height else str(counted.sort("count", "reader")["reader"][-1])


def control_of(moments: pl.DataFrame, pattern: Pattern, paths: tuple[str, ...]) -> Control:
    """The control for a patch of those paths; `moments` has MOMENTS_SCHEMA.

    For an error at a tool: errors at tools that the patch does not change, seen in the same
    sessions. For friction of another type: the other types but for errors of tools, in sessions
    with a person as well; a patch of prompts may touch these too, which then speaks against
    `resolved`. Errors as a whole have no control.
    """
    if pattern.type != AUTONOMOUS_FRICTION:
        others = pl.col("type").is_in([pattern.type, AUTONOMOUS_FRICTION]).not_()
        found = moments.filter(others & ~pattern.is_shown().fill_null(value=False))
        return Control(found, "friction of other types")
    if pattern == Pattern(pattern.type):
        return Control(moments.clear(), None)
    touched = {*_tools(paths), *([pattern.tool] if pattern.tool else [])}
    elsewhere = pl.col("tool").is_not_null() & ~pl.col("tool").is_in(touched)
    other = ~pattern.is_shown().fill_null(value=False)
    found = moments.filter((pl.col("type") == AUTONOMOUS_FRICTION) & elsewhere & other)
    but = f" than {', '.join(sorted(touched))}" if touched else ""
    return Control(found, f"errors at other tools{but}")


def _tools(paths: tuple[str, ...]) -> set[str]:
    """Tools of the bundled core whose own file is among the paths."""
    return {
        path.removeprefix(_TOOLS).split(".")[0].split("/")[0]
        for path in paths
        if path.startswith(_TOOLS)
    }
