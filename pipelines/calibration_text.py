"""What `signals calibrate` prints, at most 100 columns wide."""

from collections.abc import Iterator, Sequence

from judges.calibration import MIN_POSITIVES, Agreement, Estimate
from judges.calibration.confusion import NONE, UNTYPED, Confusion
from judges.calibration.measure import POLARITIES
from judges.rubric import load_rubric
from judges.verdict import Polarity
from pipelines.calibrating import Calibration, CalibrationReport, Joined

_NAME, _CELL = 27, 18
_FIGURES = ("precision", "recall", "f1", "kappa")
_KINDS = {
    "moment": "with a moment",
    "borderline": "judged clean by a hair",
    "random": "judged clean",
}


def report_as_text(report: CalibrationReport) -> str:
    """The report for a terminal."""
    lines = [*_joined(report.labels, report.joined)]
    for calibration in report.judges:
        lines += ["", *_calibration(calibration)]
    return "\n".join(lines)


def _joined(name: str, joined: Joined) -> Iterator[str]:
    yield f"{name}: {joined.rows} rows, {joined.judged} of them of judged turns"
    left_out = [
        (joined.replaced, "were replaced by a later row of the same turn"),
        (joined.no_such_turn, "name no turn that is here: ingest their logs first"),
        (joined.several_turns, "fit turns of several sessions: give the path as ingested"),
        *((count, f"have no verdict ({why})") for why, count in joined.without_verdict.items()),
    ]
    yield from (f"{count:>6} {words}" for count, words in left_out if count)


def _calibration(found: Calibration) -> Iterator[str]:
    identity, measured = found.identity, found.measured
    prompt = f", prompt {identity.prompt_version}" if identity.prompt_version else ""
    yield (
        f"{identity.judge} {identity.judge_version} with {identity.model}{prompt}, rubric "
        f"{identity.rubric_version}: {measured.turns} turns, {measured.sessions} sessions, "
        f"{measured.projects} {'project' if measured.projects == 1 else 'projects'}"
    )
    yield from _cautions(found)
    yield f"{'':<{_NAME}}" + "".join(f"{name:<{_CELL}}" for name in _FIGURES)
    for polarity in POLARITIES:
        yield from _polarity(found, polarity)
    for name, row in measured.baselines.items():
        yield from _row(f"by {name}", row)
    yield "95 % intervals by bootstrap over sessions. A turn is positive where it has a moment."
    yield from _friction_besides(found)
    for polarity in POLARITIES:
        yield from _confusion(measured.confusion[polarity], polarity)


def _cautions(found: Calibration) -> Iterator[str]:
    if found.drawn:
        yield "Weighted by how signals review drew the turns; counts are of the turns as they are."
    for kind in found.never_drawn:
        yield (
            f"Biased until one is labelled: no turn {_KINDS[kind]} is among the labels "
            "(go on with signals review)."
        )


def _polarity(found: Calibration, polarity: Polarity) -> Iterator[str]:
    whole = found.measured.overall[polarity]
    share = f"{whole.positives} of {whole.turns} turns, {100 * whole.positive_rate:.0f} %"
    yield from _row(f"{polarity} ({share})", whole)
    for name, row in found.measured.types[polarity].items():
        if row.positives or row.false_positives:
            yield from _row(f"  {name}", row)


def _row(name: str, row: Agreement) -> Iterator[str]:
    """One line; two where the name is long."""
    if len(name) >= _NAME:
        yield name
        name = ""
    if row.is_measured:
        cells = "".join(f"{_span(getattr(row, figure)):<{_CELL}}" for figure in _FIGURES)
    else:
        cells = (
            f"hits {row.true_positives}, false {row.false_positives}, missed "
            f"{row.false_negatives}; not measured ({row.positives} of {MIN_POSITIVES} positives)"
        )
    yield f"{name:<{_NAME}}{cells}".rstrip()


def _span(estimate: Estimate) -> str:
    match estimate:
        case ():
            return "–"
        case (value,):
            return f"{value:.2f}"
    return f"{estimate[0]:.2f} [{estimate[1]:.2f}, {estimate[2]:.2f}]"


def _friction_besides(found: Calibration) -> Iterator[str]:
    measured = found.measured
    friction = measured.overall["friction"]
    if not friction.is_measured:
        return
    yield f"AUROC of the friction score {_span(friction.auroc)}"
    each = ", ".join(f"{kappa:.2f}" for kappa in measured.severity_by_annotator)
    against = f" (against each annotator {each})" if "," in each else ""
    yield f"severity, linearly weighted kappa {_span(measured.severity)}{against}"
    if measured.left_out is None:
        yield "operating point: not measured, there is one session only"
        return
    points = sorted(set(measured.left_out.points.values()))
    span = " to ".join(f"{point:.2f}" for point in dict.fromkeys((points[0], points[-1])))
    split = {
        "project": "each project at the point chosen on the other projects",
        "session": "one project only, so tenths of the sessions at the point chosen on the others",
    }[measured.left_out.by]
    yield "operating point chosen and reported apart, predictions pooled:"
    yield f"{split} ({span})"
    yield from _row("", measured.left_out.agreement)


def _confusion(confusion: Confusion, polarity: Polarity) -> Iterator[str]:
    """Labelled types down, predicted ones across under their letters; only those that occur."""
    predicted = {name for row in confusion.values() for name in row}
    order = [*load_rubric().names(polarity), UNTYPED, NONE]
    names = [name for name in order if name in predicted or name in confusion]
    if set(names) <= {NONE}:
        return
    letters = {name: NONE if name == NONE else chr(ord("a") + n) for n, name in enumerate(names)}
    across = [name for name in names if name != UNTYPED]
    yield f"{polarity}: labelled (down) against predicted (across), turns"
    yield " " * _NAME + _cells([letters[name] for name in across])
    for name in names:
        counts = [confusion.get(name, {}).get(other, 0) for other in across]
        letter = "" if name == NONE else letters[name]
        yield f"{letter:>4} {name:<{_NAME - 5}}" + _cells([n or "·" for n in counts])


def _cells(values: Sequence[str | int]) -> str:
    return "".join(f"{value:>6}" for value in values)
