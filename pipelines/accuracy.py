"""How far each verdict in use can be trusted: the table `judge_quality` of the snapshot.

For each judge whose verdicts count there is a row a type. Its figures are the owner's own newest
calibration of that judge, also one of an earlier version, which is then marked; else those shipped
with the judge, which says whose labels they are from; else nothing is measured, and the row says
so. Figures hold no text of a session and go to teams too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import duckdb
import orjson
import polars as pl

from judges.calibration import MIN_POSITIVES
from judges.calibration.shipped import ShippedAccuracy, shipped_accuracy
from judges.rubric import load_rubric
from judges.verdict import JudgeIdentity, Polarity
from pipelines.rates import ANY
from pipelines.warehouse import query

SEVERITY = "severity"
_FIGURES = ("precision", "recall", "f1", "kappa", "auroc")
_COUNTS = ("turns", "positives", "true_positives", "false_positives", "false_negatives")
_BOUNDS = [f"{name}{end}" for name in _FIGURES for end in ("", "_low", "_high")]
_IDENTITY = ("judge", "judge_version", "prompt_version", "model", "rubric_version")
Origin = Literal["own", "shipped", "none"]
_NOT_MEASURED = "not measured on your labels: signals review, then signals calibrate"

SCHEMA: Mapping[str, Any] = {
    **dict.fromkeys(
        (*_IDENTITY, "polarity", "type", "origin", "measured_with", "labels"), pl.String
    ),
    "same_version": pl.Boolean,
    **dict.fromkeys(_COUNTS, pl.Int64),
    **dict.fromkeys(_BOUNDS, pl.Float64),
    "measured_at": pl.Datetime("us", "UTC"),
    "statement": pl.String,
}


def judge_quality(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """A row for each judge in use, polarity and type, in SCHEMA; views are loaded."""
    in_use = query(
        connection,
        f"SELECT DISTINCT {', '.join(_IDENTITY)} FROM standing_judgements "
        "WHERE current AND status = 'judged' ORDER BY ALL",
    )
    stored = query(connection, "FROM calibrations ORDER BY measured_at, calibration_id")
    own = [_own(row) for row in stored.iter_rows(named=True)]
    rows = [
        _row(JudgeIdentity(*identity), found)
        for identity in in_use.iter_rows()
        for found in _for_judge(JudgeIdentity(*identity), own)
    ]
    return pl.DataFrame(rows, schema=pl.Schema(SCHEMA))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one (polarity, type)."""

    polarity: Polarity
    type: str
    origin: Origin = "none"
    identity: JudgeIdentity | None = None
    labels: str = ""
    measured_at: Any = None
    figures: Mapping[str, Any] | None = None

    @property
    def is_measured(self) -> bool:
        return bool((self.figures or {}).get("kappa"))


def _own(row: Mapping[str, Any]) -> _Known:
    return _Known(
        polarity=row["polarity"],
        type=row["type"],
        origin="own",
        identity=JudgeIdentity(*(row[name] for name in _IDENTITY)),
        labels="labels of your own",
        measured_at=row["measured_at"],
        figures=orjson.loads(row["figures"]),
    )


def _shipped(shipped: ShippedAccuracy, polarity: Polarity, type_: str) -> _Known:
    known = shipped.figures(polarity).get(type_)
    severity = {
        "severity_weighted_kappa": shipped.severity_kappa,
        "severity_turns": shipped.severity_turns,
    }
    shared = severity if polarity == "friction" else {}
    return _Known(
        polarity=polarity,
        type=type_,
        origin="shipped",
        identity=shipped.identity(),
        labels=shipped.labels,
        figures={**known.model_dump(), **shared} if known else None,
    )


def _for_judge(identity: JudgeIdentity, own: list[_Known]) -> Iterator[_Known]:
    for polarity in get_args(Polarity):
        for type_ in (ANY, *load_rubric().names(polarity)):
            found = _best(identity, own, polarity, type_)
            yield found
            if (polarity, type_) == ("friction", ANY):
                yield _severity(found)


def _best(identity: JudgeIdentity, own: list[_Known], polarity: Polarity, type_: str) -> _Known:
    """The owner's newest of this very version, else of an earlier one, else the shipped one."""
    mine = [
        known
        for known in reversed(own)
        if known.identity
        and known.identity.judge == identity.judge
        and (known.polarity, known.type) == (polarity, type_)
    ]
    mine.sort(key=lambda known: known.identity != identity)
    shipped = _shipped(shipped_accuracy(), polarity, type_)
    others = [shipped] if shipped.identity and shipped.identity.judge == identity.judge else []
    measured = [known for known in (*mine, *others) if known.is_measured]
    return next(iter((*measured, *mine)), _Known(polarity, type_))


def _severity(found: _Known) -> _Known:
    """The weighted kappa of severities, measured with the yes or no of friction.

    It is of other turns than that; how many they were is not known of old calibrations.
    """
    figures = found.figures or {}
    kappa = figures.get("severity_weighted_kappa") if found.is_measured else None
    counts = {"turns": figures.get("severity_turns"), "kappa": kappa or []}
    return replace(found, type=SEVERITY, figures=counts)


def _row(identity: JudgeIdentity, known: _Known) -> dict[str, Any]:
    figures = known.figures or {}
    return {
        **asdict(identity),
        "polarity": known.polarity,
        "type": known.type,
        "origin": known.origin,
        "measured_with": identity_words(known.identity) if known.identity else None,
        "labels": known.labels or None,
        "same_version": known.identity == identity if known.identity else None,
        **{name: figures.get(name) for name in _COUNTS},
        **{key: value for name in _FIGURES for key, value in _bounds(name, figures.get(name))},
        "measured_at": known.measured_at,
        "statement": statement(identity, known),
    }


def _bounds(name: str, figure: list[float] | None) -> Iterator[tuple[str, float | None]]:
    padded = [*(figure or ()), None, None, None]
    yield from zip((name, f"{name}_low", f"{name}_high"), padded, strict=False)


def statement(identity: JudgeIdentity, known: _Known) -> str:
    """In one line what stands beside every figure of the judge."""
    figures = known.figures or {}
    if not known.is_measured:
        few = figures.get("positives")
        if known.origin != "own" or few is None:
            return _NOT_MEASURED
        turns = "labelled turn" if few == 1 else "labelled turns"
        return f"not measured: {few} {turns} with it, {MIN_POSITIVES} needed"
    value, *bounds = figures["kappa"]
    interval = f" [{bounds[0]:.2f}, {bounds[1]:.2f}]" if bounds else ""
    kind = "weighted kappa" if known.type == SEVERITY else "kappa"
    turns = figures["turns"]
    on = {
        "own": f"{'' if turns is None else f'{turns} '}labelled turns",
        "shipped": f"{turns} public turns labelled by language models, not people",
    }[known.origin]
    text = f"{kind} {value:.2f}{interval} on {on}"
    if known.identity and known.identity != identity:
        text += f"; of another version: {identity_words(known.identity, identity)}"
    return text


def identity_words(identity: JudgeIdentity, other: JudgeIdentity | None = None) -> str:
    """`llm 1 with some-model, prompt 3f2a, rubric 1`; rules' model only where it differs."""
    differs = other is not None and other.model != identity.model
    asks = identity.judge != "rules"
    model = f" with {identity.model}" if asks or differs else ""
    prompt = f", prompt {identity.prompt_version}" if asks else ""
    name = f"{identity.judge} {identity.judge_version}{model}{prompt}"
    return f"{name}, rubric {identity.rubric_version}"
