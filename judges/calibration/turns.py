"""A turn with what was labelled and what the judge said of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from judges.calibration.labels import Drawn, Label
from judges.verdict import Polarity, Severity

SEVERITY_LEVELS: Mapping[Severity, int] = {"low": 1, "medium": 2, "high": 3}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of one turn: a turn is positive where its segment has a moment."""

    scores: Mapping[Polarity, float]
    """In [0, 1]; a turn that could not be judged has no verdict at all."""
    severity: int
    """Of its gravest friction moment, 1 to 3; 0 without one."""
    types: Mapping[Polarity, frozenset[str]]

    def is_positive(self, polarity: Polarity) -> bool:
        """Whether the judge found such a moment."""
        return bool(self.types[polarity])


@dataclass(frozen=True, slots=True)
class LabelledTurn:
    """One turn that is both labelled and judged."""

    session: str
    project: str
    label: Label
    verdict: Verdict
    baselines: Mapping[str, bool] = field(default_factory=dict)
    """What each baseline says of friction; empty where the turn's text is gone."""
    weight: float = 1.0


def verdict_of(
    moments: Iterable[tuple[Polarity, str, Severity]],
    friction_score: float,
    delight_score: float,
) -> Verdict:
    """The verdict of a turn from the (polarity, type, severity) of its moments and its scores."""
    found = list(moments)
    types: dict[Polarity, frozenset[str]] = {
        "friction": frozenset(type_ for polarity, type_, _ in found if polarity == "friction"),
        "delight": frozenset(type_ for polarity, type_, _ in found if polarity == "delight"),
    }
    levels = [
        SEVERITY_LEVELS[severity] for polarity, _, severity in found if polarity == "friction"
    ]
    scores: dict[Polarity, float] = {"friction": friction_score, "delight": delight_score}
    return Verdict(scores, max(levels, default=0), types)


def drawing_weights(labels: Sequence[Label]) -> dict[Drawn | None, float]:
    """By kind of turn the weight that undoes how `signals review` drew them.

    A turn stands for as many turns as there were of its kind, over those of them that were
    labelled (post-stratification). Turns that were not drawn all stand for one. `labels` are all
    that there are: there is one drawing, whichever judge a turn was judged by since.
    """
    kinds = Counter(label.drawn for label in labels)
    return {
        kind: _drawn_from(labels, kind) / labelled if kind else 1.0
        for kind, labelled in kinds.items()
    }


def kinds_never_drawn(turns: Sequence[LabelledTurn]) -> list[Drawn]:
    """Kinds of turns that there were, of which none is labelled: the figures leave them out."""
    drawn = {turn.label.drawn for turn in turns}
    return [
        kind
        for kind in get_args(Drawn)
        if kind not in drawn and any((t.label.drawn_from or {}).get(kind) for t in turns)
    ]


def _drawn_from(labels: Sequence[Label], kind: Drawn) -> float:
    """How many turns of the kind there were, by the mean of what its rows say."""
    sizes = [one.drawn_from[kind] for one in labels if one.drawn == kind and one.drawn_from]
    return sum(sizes) / len(sizes)
