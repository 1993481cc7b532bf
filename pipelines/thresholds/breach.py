"""What goes into the search for breaches and what comes out of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import polars as pl

from pipelines.thresholds.change_points import ChangePoint
from pipelines.thresholds.spending import Look, Versus

SESSION_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "agent": pl.String(),
    "release": pl.String(),
    "user_id": pl.String(),
    "is_autonomous": pl.Boolean(),
    "started_at": pl.Datetime("us", "UTC"),
    "known_at": pl.Datetime("us", "UTC"),
}
"""The eligible sessions: selected, judged, with a release. A null user counts as one user.
`known_at`: when the session was first seen and judged; null: always."""

MOMENT_SCHEMA: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "type": pl.String(),
    "tool": pl.String(),
    "error_class": pl.String(),
    "signature": pl.String(),
    "cluster_id": pl.String(),
    "severity": pl.String(),
}
"""The friction moments of those sessions."""

Kind = Literal["type", "error", "signature", "tool", "cluster"]
"""What a pattern is of: a friction type; a type at one tool with one class of error; one error
signature; one tool; one cluster of descriptions."""


@dataclass(frozen=True, slots=True)
class Floors:
    """What a pattern needs before it is looked at, and what errors the looks may make."""

    min_sessions: int
    """Sessions that show it; also eligible sessions of the release and of its baseline."""
    min_users: int
    false_discovery_rate: float
    false_alarms_per_year: float = 1.0
    """Comparisons with a false alarm that a year may bring, where nothing ever rises."""
    window_days: int = 7
    """Length of the last window of a release that is held against its days before."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A pattern that rose above its baseline."""

    kind: Kind
    agent: str
    release: str
    type: str
    """Of a signature, tool or cluster: the type that most of its moments have."""
    tool: str | None
    error_class: str | None
    signature: str | None
    cluster_id: str | None
    versus: Versus
    since: date | None
    """First day of the window; None: the whole release."""
    base_from: datetime | None
    """The first start of a session of the baseline."""
    began_at: datetime | None
    """The first and the last start of a session of the newer side."""
    until: datetime | None
    affected: int
    sessions: int
    users: int
    baseline_affected: int
    baseline_sessions: int
    rate: float
    rate_low: float
    rate_high: float
    baseline_rate: float
    rise_low: float
    rise_high: float
    odds_ratio: float
    odds_low: float
    odds_high: float
    p_value: float
    q_value: float
    """After false-discovery control, in units of the false-discovery rate: the level of the
    comparison and the share of the look are divided out, so that it breaches at or below it."""
    look: int
    level: float
    severity: float
    """Mean over affected sessions of their gravest moment: low 1, medium 2, high 3."""
    impact: float
    """Affected sessions beyond what the baseline leads to expect, times `severity`; breaches stand
    in its order."""
    change: ChangePoint | None
    session_keys: frozenset[str]
    """The sessions that show it."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The outcome of one run."""

    breaches: tuple[Breach, ...]
    patterns: int
    """Distinct ones: patterns that the same sessions show are one test."""
    agents_without_baseline: int
    """Agents with nothing to compare with: too few sessions before."""
    looks: tuple[Look, ...]
    """One for each comparison, those repeated as well."""
    new_looks: int
