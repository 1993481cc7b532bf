"""Breaches of the latest look that no task covers, with the moments that show each."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import duckdb
import polars as pl

from pipelines.tasks import pattern_key
from pipelines.warehouse import query


@dataclass(frozen=True, slots=True)
class BreachRow:
    """A breach as tasks need it. What is null in the pattern is any."""

    breach_id: str
    agent: str
    release: str
    type: str
    """Of a pattern that is not of one type: the one that most of its moments have."""
    tool: str | None
    error_class: str | None
    rate: float
    rate_low: float
    rate_high: float
    baseline_rate: float
    affected: int
    sessions: int
    baseline_affected: int
    baseline_sessions: int
    signature: str | None = None
    cluster_id: str | None = None
    cluster_name: str | None = None
    versus: str | None = None
    """What it was held against: earlier releases, or earlier days."""
    change_release: str | None = None
    change_day: date | None = None
    change_probability: float | None = None
    """Where the rate most probably rose; null: not told."""

    @property
    def pattern(self) -> str:
        return pattern_key(
            self.agent, self.type, self.tool, self.error_class, self.signature, self.cluster_id
        )

    @property
    def is_exact(self) -> bool:
        """Whether it names both what failed and how: the cause that others may follow from."""
        return self.tool is not None and self.error_class is not None

    @property
    def is_of_a_type(self) -> bool:
        """Whether its moments are all of its type."""
        return self.is_exact or not (self.tool or self.signature or self.cluster_id)


_UNCOVERED = """
SELECT breaches.*
FROM breaches LEFT JOIN patch_tasks USING (task_id)
WHERE (task_id IS NULL OR (state IN ('rejected', 'expired') AND updated_at < $since))
  AND breaches.run_id = (
    SELECT arg_max(run_id, ended_at) FROM runs WHERE stage = 'breaches' AND status = 'done')
ORDER BY breaches.tool IS NULL OR breaches.error_class IS NULL, breaches.signature IS NULL,
    breaches.tool IS NULL, breaches.cluster_id IS NOT NULL, q_value, breaches.type, breaches.tool,
    breaches.error_class, breaches.breach_id
"""


def uncovered_breaches(connection: duckdb.DuckDBPyConnection, since: datetime) -> list[BreachRow]:
    """Breaches of the latest look without a task, or with one that was closed undone before
    `since`: until then what belongs to it cools down with it.

    What names tool and class comes first, then signatures, tools, types and clusters: the narrow
    ones are the causes that the wide ones may follow from.
    """
    known = {field.name for field in fields(BreachRow)}
    rows = query(connection, _UNCOVERED, {"since": since}).iter_rows(named=True)
    return [BreachRow(**{name: row[name] for name in known & row.keys()}) for row in rows]


_MOMENTS = """
SELECT session_key, session_id, user_id, descriptor, tool, error_class, error_signature,
       sessions.started_at
FROM moments JOIN sessions USING (session_key)
WHERE polarity = 'friction' AND release = $release AND agent = $agent
  AND ($of_type IS NULL OR type = $of_type) AND ($tool IS NULL OR tool = $tool)
  AND ($error_class IS NULL OR error_class = $error_class)
  AND ($signature IS NULL OR error_signature = $signature)
  AND ($cluster_id IS NULL OR moment_id IN (
    SELECT item_id FROM cluster_members JOIN clusters USING (kind, cluster)
    WHERE kind = 'friction' AND cluster_id = $cluster_id))
ORDER BY session_id, source_ref
"""


def moments_of(connection: duckdb.DuckDBPyConnection, found: BreachRow) -> pl.DataFrame:
    """The moments of the release that show the pattern: session_key, session_id, user_id,
    descriptor, tool, error_class, error_signature, started_at.
    """
    wanted: dict[str, Any] = {
        name: getattr(found, name)
        for name in ("release", "agent", "tool", "error_class", "signature", "cluster_id")
    }
    of_type = found.type if found.is_of_a_type else None
    return query(connection, _MOMENTS, wanted | {"of_type": of_type})


def main_failure(found: BreachRow, moments: pl.DataFrame) -> tuple[str | None, str | None]:
    """The tool and class of a breach; of a signature or cluster, those of most of its moments."""
    if found.signature is None and found.cluster_id is None:
        return found.tool, found.error_class
    counted = moments.group_by("tool", "error_class").len().sort("len", "tool", descending=True)
    if not counted.height or 2 * counted["len"][0] <= moments.height:
        return found.tool, found.error_class
    return counted["tool"][0], counted["error_class"][0]
