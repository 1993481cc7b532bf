"""The report: what the published snapshot says, as plain data.

Reads the snapshot's files alone, so that it says what the dashboards show. A session that could
not be judged is never counted as one without friction: it stands in the coverage by itself.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from agent_core.errors import HomeError
from pipelines.rates import ANY
from pipelines.report_repair import (
    BreachReport,
    RepairReport,
    TaskReport,
    read_repair,
    read_tasks,
)
from pipelines.report_rows import as_rows, read_table
from pipelines.report_text import report_lines
from pipelines.stages.snapshot import current_snapshot

EXAMPLES_PER_TYPE = 2
_SEVERITIES = pl.Enum(["low", "medium", "high"])


@dataclass(frozen=True, slots=True)
class Count:
    """A row of the coverage; the counts of one area add up to its total."""

    area: str
    status: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class JudgeUse:
    """A judge, and how many sessions its verdict stands for."""

    judge: str
    judge_version: str
    model: str
    rubric_version: str
    sessions: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well a judge agrees with labels on one type; `kappa` is None where not measured."""

    judge: str
    judge_version: str
    model: str
    polarity: str
    type: str
    """`any`: of whatever type; `severity`: low, medium or high of friction."""
    origin: str
    """Whose labels: own, shipped with the judge, or none."""
    labels: str | None
    same_version: bool | None
    """Whether the version measured is the one of these verdicts."""
    turns: int | None
    positives: int | None
    precision: float | None
    recall: float | None
    f1: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    statement: str


@dataclass(frozen=True, slots=True)
class CostReport:
    """What sessions cost whose cost is known in one way."""

    basis: str
    sessions: int
    cost_usd: float | None
    unpriced_calls: int
    prices_as_of: str | None
    """Day of the list prices."""


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """A model without a price, and its calls whose cost is therefore unknown."""

    model: str
    calls: int


@dataclass(frozen=True, slots=True)
class Rate:
    """`affected` of `sessions`, with a 95 % Wilson interval; None: no session could tell."""

    affected: int
    sessions: int
    rate: float | None
    rate_low: float | None
    rate_high: float | None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """How the rules do against a model on sessions drawn at random, over turns or sessions.

    The fields are the columns of the snapshot's table `audit`; `note` says why there is no figure.
    """

    level: str
    model: str
    sessions: int
    drawn: int
    audited: int
    unscored: int
    waiting: int
    too_long: int
    rules_rate: float | None
    corrected_rate: float | None
    corrected_low: float | None
    corrected_high: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Example:
    """What happened most often for one type, and one place where to look."""

    descriptor: str
    sessions: int
    citation: str
    severity: str
    session_key: str
    source_ref: str


@dataclass(frozen=True, slots=True)
class TypeReport:
    """One type of friction or delight; `high` moments, and no examples, in a team's snapshot."""

    type: str
    rate: Rate
    high: int | None
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ProposalReport:
    """A change of the schema that waits for a person."""

    proposal_id: str
    kind: str
    target: str
    name: str
    definition: str
    support: int
    sessions: int
    users: int
    stability: float | None
    figures: str
    """All of the evidence, in words."""
    examples: tuple[str, ...]
    """Abstracts, the most central first; none in a team's snapshot."""


@dataclass(frozen=True, slots=True)
class DriftReport:
    """A value that more or fewer sessions show than before."""

    target: str
    value: str
    change: str
    affected_before: int
    sessions_before: int
    affected_after: int
    sessions_after: int
    change_low: float
    change_high: float
    q_value: float
    before_from: str
    after_from: str


@dataclass(frozen=True, slots=True)
class UnservedReport:
    """Something that people ask for and do not get."""

    topic: str
    sessions: int
    asked_sessions: int
    ending: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that `signals report` says."""

    run_id: str
    published_at: str
    mode: str
    coverage: tuple[Count, ...]
    judges: tuple[JudgeUse, ...]
    accuracy: tuple[Accuracy, ...]
    costs: tuple[CostReport, ...]
    unpriced_models: tuple[UnpricedModel, ...]
    friction: Rate
    delight: Rate
    audit: tuple[AuditReport, ...]
    """Empty: nothing was audited, or a team's floors withhold it."""
    friction_types: tuple[TypeReport, ...]
    delight_types: tuple[TypeReport, ...]
    drift: tuple[DriftReport, ...]
    """What changed; what stayed as it was is in the snapshot's table."""
    unserved: tuple[UnservedReport, ...]
    proposals: tuple[ProposalReport, ...]
    breaches: tuple[BreachReport, ...]
    tasks: tuple[TaskReport, ...]
    repair: RepairReport


def read_report(snapshots: Path) -> Report:
    """The report of the current snapshot below `snapshots`.

    Raises HomeError before the first publication and for a damaged snapshot, SignalsError for a
    damaged pointer.
    """
    directory = current_snapshot(snapshots)
    if directory is None:
        raise HomeError(f"nothing is published in {snapshots} yet: run `signals run` first")
    return render_report(directory)


def render_report(directory: Path) -> Report:
    """The report of one snapshot, from its directory. Raises HomeError where it is damaged."""
    try:
        return _rendered(directory)
    except (OSError, ValueError, LookupError, TypeError, pl.exceptions.PolarsError) as error:
        raise HomeError(
            f"snapshot {directory} is damaged ({type(error).__name__}): run `signals run` again"
        ) from error


def _rendered(directory: Path) -> Report:
    head = orjson.loads((directory / "schema.json").read_bytes())
    rates = read_table(directory, "rates_overall")
    moments = read_table(directory, "moments") if "moments" in head["tables"] else None
    return Report(
        run_id=head["run_id"],
        published_at=head["published_at"],
        mode=head["mode"],
        coverage=as_rows(Count, read_table(directory, "coverage")),
        judges=as_rows(JudgeUse, read_table(directory, "judges")),
        accuracy=as_rows(Accuracy, read_table(directory, "judge_quality")),
        costs=as_rows(
            CostReport,
            read_table(directory, "costs").with_columns(pl.col("prices_as_of").cast(pl.String)),
        ),
        unpriced_models=as_rows(UnpricedModel, read_table(directory, "unpriced_models")),
        friction=_any_rate(rates, "friction"),
        delight=_any_rate(rates, "delight"),
        audit=as_rows(AuditReport, read_table(directory, "audit")),
        friction_types=_types(rates, moments, "friction"),
        delight_types=_types(rates, moments, "delight"),
        drift=_drift(directory),
        unserved=as_rows(UnservedReport, read_table(directory, "unserved")),
        proposals=as_rows(
            ProposalReport, read_table(directory, "proposals").filter(pl.col("status") == "open")
        ),
        breaches=as_rows(BreachReport, read_table(directory, "breaches")),
        tasks=read_tasks(directory),
        repair=read_repair(directory),
    )


def report_as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON's own types but for tuples, which stand for lists."""
    return asdict(report)


def report_as_text(report: Report) -> str:
    """The report for a terminal: plain text, at most 100 columns wide."""
    return "\n".join(report_lines(report_as_dict(report)))


def _any_rate(rates: pl.DataFrame, polarity: str) -> Rate:
    """The rate of whatever type; empty where a team's floors withhold it."""
    rows = rates.filter(pl.col("polarity") == polarity, pl.col("type") == ANY)
    return next(iter(as_rows(Rate, rows)), Rate(0, 0, None, None, None))


def _drift(directory: Path) -> tuple[DriftReport, ...]:
    """What changed, a cluster by its name."""
    names = read_table(directory, "clusters").select("cluster_id", "name")
    days = pl.col("before_from", "after_from").cast(pl.String)
    changed = read_table(directory, "drift").filter(pl.col("change") != "steady").with_columns(days)
    told = changed.join(names, left_on="value", right_on="cluster_id", how="left")
    return as_rows(DriftReport, told.with_columns(value=pl.coalesce("name", "value")))


def _types(
    rates: pl.DataFrame, moments: pl.DataFrame | None, polarity: str
) -> tuple[TypeReport, ...]:
    typed = rates.filter(pl.col("polarity") == polarity, pl.col("type") != ANY)
    return tuple(
        _type_report(name, rate, moments, polarity)
        for name, rate in zip(typed["type"], as_rows(Rate, typed), strict=True)
    )


def _type_report(name: str, rate: Rate, moments: pl.DataFrame | None, polarity: str) -> TypeReport:
    if moments is None:
        return TypeReport(name, rate, None, ())
    own = moments.filter(pl.col("polarity") == polarity, pl.col("type") == name)
    high = own.filter(pl.col("severity") == "high").height
    return TypeReport(name, rate, high, _examples(own))


def _examples(moments: pl.DataFrame) -> tuple[Example, ...]:
    """The descriptors of most sessions, each with its gravest and surest moment."""
    gravest_first = moments.with_columns(pl.col("severity").cast(_SEVERITIES)).sort(
        ["severity", "confidence", "moment_id"], descending=[True, True, False]
    )
    described = gravest_first.group_by("descriptor", maintain_order=True).agg(
        pl.col("session_key").n_unique().alias("sessions"),
        pl.col("citation", "source_ref").first(),
        pl.col("severity").first().cast(pl.String),
        pl.col("session_key").first(),
    )
    most = described.sort("sessions", descending=True, maintain_order=True)
    return as_rows(Example, most.head(EXAMPLES_PER_TYPE))
