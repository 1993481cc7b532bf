"""Changes of what the schema has: values that are one, and values that are two.

Two values merge where the vectors cannot tell them apart in sessions left out; one splits where its
members fall into two supported parts that come back, farther apart than values usually are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import roc_auc_score

from facets.clustering_regions import Labels, Vectors
from facets.evolution_evidence import coherence_of, held_out, region_of
from facets.mapping import FOLDS, UNMAPPED, Values, within_values
from facets.proposal import Proposal, proposal_id
from facets.stability import resampled_stability

MIN_MEMBERS = 20
"""Of each of two values that are held against each other."""
_MOST_MEMBERS = 300
_SPREAD = 1.96
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class ChangeFloors:
    """Below any of these nothing is proposed."""

    min_sessions: int = 5
    min_users: int = 1
    min_stability: float = 0.75
    """A part of something known must come back more surely than something new (Hennig 2007)."""
    max_auroc: float = 0.7
    """Upper end of the 95 % interval up to which two values count as not told apart."""
    min_separation: float = 1.2
    """Of the parts of a value that distance decides, in median distances between values."""
    min_separation_judged: float = 2.5
    """Of the parts of a value that a judge tells by its definition: that is broad by intent."""
    min_gain_bits: float = 2.0
    """Bits, as of a new type: the part against the rest of its value and all others."""


class Parts(NamedTuple):
    """The two parts of a value; `second` is the smaller."""

    second: NDArray[np.intp]
    separation: float
    """Distance between the parts in sessions left out, in median distances between values."""


def propose_merges(
    items: pl.DataFrame,
    vectors: Vectors,
    values: Values,
    target: str,
    *,
    floors: ChangeFloors | None = None,
    seed: int = 0,
) -> list[Proposal]:
    """A merge for every two values that no held-out classification tells apart."""
    floors = floors or ChangeFloors()
    sessions = items["session_key"].to_list()
    rng = np.random.default_rng(seed)
    sample = np.concatenate([np.empty(0, dtype=np.intp), *_samples(values, rng)])
    names = np.unique(values[sample])
    metrics = _by_fold(vectors[sample], values[sample], [sessions[row] for row in sample], rng)
    found = []
    for first, second in combinations(names.tolist(), 2):
        auroc, error = _auroc(metrics, values[sample], first, second)
        pair = items.filter(pl.Series(np.isin(values, [first, second])))
        wide = _is_wide(items, values == first, floors) and _is_wide(
            items, values == second, floors
        )
        if wide and auroc + _SPREAD * error <= floors.max_auroc:
            found.append(_merge(pair, target, first, second, auroc, error))
    return found


def propose_splits(
    items: pl.DataFrame,
    vectors: Vectors,
    values: Values,
    target: str,
    *,
    judged: frozenset[str],
    model: str = "",
    floors: ChangeFloors | None = None,
    seed: int = 0,
) -> list[Proposal]:
    """A split for every value that falls into two parts; `judged` are those a judge tells."""
    floors = floors or ChangeFloors()
    found = []
    for name in np.unique(values[values != UNMAPPED]).tolist():
        floor = floors.min_separation_judged if name in judged else floors.min_separation
        parts = _parts(items, vectors, values, name, np.random.default_rng(seed))
        if parts is None or parts.separation < floor:
            continue
        if not _is_wide(items, _mask(len(values), parts.second), floors):
            continue
        proposal = _split(items, vectors, values, name, parts, target, model, floors, seed)
        if proposal is not None:
            found.append(proposal)
    return found


def _samples(values: Values, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """At most _MOST_MEMBERS of each value that has MIN_MEMBERS."""
    rows = [np.flatnonzero(values == name) for name in np.unique(values[values != UNMAPPED])]
    return [rng.permutation(one)[:_MOST_MEMBERS] for one in rows if len(one) >= MIN_MEMBERS]


class _Fold(NamedTuple):
    """Items left out in turn, and where each value of the others lies, in the others' metric."""

    left_out: NDArray[np.intp]
    rows: NDArray[np.float64]
    centres: dict[str, NDArray[np.float64]]


def _by_fold(
    vectors: Vectors, values: Values, sessions: Sequence[str], rng: np.random.Generator
) -> list[_Fold]:
    names, owner = np.unique(np.asarray(sessions, dtype=str), return_inverse=True)
    folds = (rng.permutation(len(names)) % FOLDS)[owner] if len(names) else owner
    found = []
    for fold in range(FOLDS):
        seen, left_out = folds != fold, np.flatnonzero(folds == fold)
        rows = within_values(vectors[seen], values[seen]).rows(vectors)
        known = np.unique(values[seen])
        centres = {str(name): rows[seen & (values == name)].mean(axis=0) for name in known}
        found.append(_Fold(left_out, rows[left_out], centres))
    return found


def _auroc(folds: Sequence[_Fold], values: Values, first: str, second: str) -> tuple[float, float]:
    """How well what is nearer to one value than to the other is of it, and the standard error."""
    scores, truth = [], []
    for fold in folds:
        both = np.isin(values[fold.left_out], [first, second])
        if first in fold.centres and second in fold.centres:
            scores.append(fold.rows[both] @ (fold.centres[first] - fold.centres[second]))
            truth.append(values[fold.left_out][both] == first)
    score, is_first = np.concatenate(scores), np.concatenate(truth)
    auroc = float(roc_auc_score(is_first, score))
    return auroc, _auroc_error(auroc, int(is_first.sum()), int((~is_first).sum()))


def _auroc_error(auroc: float, ours: int, theirs: int) -> float:
    """Standard error of the area (Hanley, McNeil 1982)."""
    one, two = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    spread = (
        auroc * (1 - auroc) + (ours - 1) * (one - auroc**2) + (theirs - 1) * (two - auroc**2)
    ) / (ours * theirs)
    return float(np.sqrt(max(spread, 0)))


def _merge(
    pair: pl.DataFrame, target: str, first: str, second: str, auroc: float, error: float
) -> Proposal:
    counts = pair["type"].value_counts(sort=True)
    wider = first if counts["type"].to_list()[0] == first else second
    return Proposal(
        proposal_id=proposal_id("merge", target, "|".join(sorted((first, second)))),
        kind="merge",
        target=target,
        name=wider,
        definition=f"What was called {first} or {second}.",
        parts=(first, second),
        support=pair.height,
        sessions=pair["session_key"].n_unique(),
        users=pair["user_id"].n_unique(),
        evidence={
            "held_out_auroc": round(auroc, 3),
            "held_out_auroc_high": round(auroc + _SPREAD * error, 3),
            "items": {
                first: int((pair["type"] == first).sum()),
                second: int((pair["type"] == second).sum()),
            },
        },
    )


def _is_wide(items: pl.DataFrame, chosen: NDArray[np.bool_], floors: ChangeFloors) -> bool:
    rows = items.filter(pl.Series(chosen))
    return (
        rows["session_key"].n_unique() >= floors.min_sessions
        and rows["user_id"].n_unique() >= floors.min_users
    )


def _mask(count: int, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    chosen = np.zeros(count, dtype=bool)
    chosen[rows] = True
    return chosen


def _parts(
    items: pl.DataFrame, vectors: Vectors, values: Values, name: str, rng: np.random.Generator
) -> Parts | None:
    """Ward's two parts of a value in the metric of all the others; None: too few to tell."""
    members = rng.permutation(np.flatnonzero(values == name))[:_MOST_MEMBERS]
    if len(members) < 2 * MIN_MEMBERS:
        return None
    others = np.where(values == name, UNMAPPED, values)
    rows = within_values(vectors, others).rows(vectors)
    usual = _usual_distance(rows, others)
    sessions = items["session_key"].gather(members.tolist()).to_list()
    names, owner = np.unique(np.asarray(sessions, dtype=str), return_inverse=True)
    first_half = (rng.permutation(len(names)) < len(names) / 2)[owner]
    if usual is None or min(first_half.sum(), (~first_half).sum()) < MIN_MEMBERS:
        return None
    apart = [
        _apart(rows[members[half]], rows[members[~half]]) for half in (first_half, ~first_half)
    ]
    halves = _two(rows[members])
    second = members[halves == np.argmin(np.bincount(halves))]
    return Parts(np.sort(second), min(apart) / usual)


def _two(rows: NDArray[np.float64]) -> Labels:
    return np.asarray(fcluster(linkage(rows, "ward"), 2, "maxclust") - 1, dtype=np.int64)


def _apart(learned: NDArray[np.float64], asked: NDArray[np.float64]) -> float:
    """Distance of the parts of `asked`, by the nearer part of `learned`; 0 where one is empty."""
    halves = _two(learned)
    first, second = (learned[halves == half].mean(axis=0) for half in (0, 1))
    nearer = asked @ (first - second) > (first @ first - second @ second) / 2
    if nearer.all() or not nearer.any():
        return 0.0
    return float(np.linalg.norm(asked[nearer].mean(axis=0) - asked[~nearer].mean(axis=0)))


def _usual_distance(rows: NDArray[np.float64], values: Values) -> float | None:
    """Median distance between the centres of two values; None with fewer than three values."""
    centres = [
        rows[values == name].mean(axis=0)
        for name in np.unique(values[values != UNMAPPED])
        if (values == name).sum() >= MIN_MEMBERS
    ]
    if len(centres) < 3:
        return None
    return float(np.median([np.linalg.norm(a - b) for a, b in combinations(centres, 2)]))


def _split(
    items: pl.DataFrame,
    vectors: Vectors,
    values: Values,
    name: str,
    parts: Parts,
    target: str,
    model: str,
    floors: ChangeFloors,
    seed: int,
) -> Proposal | None:
    sessions = items["session_key"].to_list()
    apart = values.copy()
    apart[parts.second] = UNMAPPED
    labels = np.where(_mask(len(values), parts.second), 0, -1)
    members = np.flatnonzero(values == name)
    rows = within_values(vectors, np.where(values == name, UNMAPPED, values)).rows(vectors)

    def regroup(drawn: NDArray[np.bool_]) -> Labels:
        found = np.full(len(values), -1)
        chosen = members[drawn[members]]
        found[chosen] = _two(rows[chosen])
        return found

    stability = float(resampled_stability(labels, sessions, regroup, seed=seed)[0])
    worth = held_out(vectors, apart, sessions, [parts.second], seed=seed)[0]
    if stability < floors.min_stability or worth.gain_bits < floors.min_gain_bits:
        return None
    region = region_of(vectors, apart, parts.second)
    chosen = items[parts.second.tolist()]
    _, coherence = coherence_of(vectors, parts.second)
    texts = tuple(dict.fromkeys(chosen["text"].to_list()))[:_EXAMPLES]
    return Proposal(
        proposal_id=proposal_id("split", target, name),
        kind="split",
        target=target,
        name=f"{name}_part",
        definition=f"Of {name} such as: {texts[0].rstrip('.')}.",
        parts=(name,),
        prototype=region.prototype(model),
        support=chosen.height,
        sessions=chosen["session_key"].n_unique(),
        users=chosen["user_id"].n_unique(),
        stability=round(stability, 3),
        evidence={
            "separation": round(parts.separation, 2),
            **worth.figures(),
            "coherence": round(coherence, 3),
            "examples": list(texts),
        },
    )
