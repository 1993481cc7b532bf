"""What the rules miss, estimated on sessions that were drawn at random for a model.

The model's verdict is the reference here, not the truth: where the model errs the estimate does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, stdtrit

MIN_AUDITED = 10
"""Fewer audited sessions give no figure."""
_DRAWS = 5_000
_LEVEL = 0.95


class Figure(NamedTuple):
    """A share in [0, 1] with its 95 % interval."""

    value: float
    low: float
    high: float


class Audited(NamedTuple):
    """A session drawn with probability `rate` where both judges spoke: its units (its turns, or
    itself) by who calls them friction.
    """

    rate: float
    both: int
    rules_only: int
    model_only: int
    neither: int


class Population(NamedTuple):
    """Units of all sessions that could have been drawn, by what the rules say of them."""

    friction: int
    clean: int


@dataclass(frozen=True, slots=True)
class AuditEstimate:
    """How the rules do against the model; None with `note` saying why: not measured."""

    rules_rate: float | None
    """Share of units that the rules call friction; known, not estimated."""
    corrected_rate: Figure | None
    """Share of units that the model would call friction."""
    recall: Figure | None
    """Of what the model would call friction, what the rules call so too; 1 - recall is missed."""
    note: str


class _Share(NamedTuple):
    """A share of the units of one stratum, and of how many independent units it is worth."""

    value: float
    size: float
    residuals: NDArray[np.float64]
    """What each session adds to the difference of the share from its value."""


_NOTHING = _Share(0.0, 0.0, np.zeros(0))


def estimate_audit(sessions: Sequence[Audited], population: Population) -> AuditEstimate:
    """The rules' recall and the corrected rate of friction, or why they are not measured.

    Units are post-stratified by the rules' verdict, which is known of all of them: with N1 and N0
    units that the rules call friction and clean, and the shares p1 and p0 of each that the model
    calls friction, the rate is (N1 p1 + N0 p0) / (N1 + N0) and the recall N1 p1 / (N1 p1 + N0 p0)
    (Begg & Greenes 1983, Biometrics 39; Cochran 1977, Sampling Techniques, 5A.9). p1 and p0 are
    weighted by the inverse of the inclusion probabilities (Hajek). For the intervals each share is
    worth as many independent units as its linearised variance between sessions says, corrected for
    its degrees of freedom (Korn & Graubard 1998, Survey Methodology 24); both are drawn from
    Jeffreys' posterior of that size (Brown, Cai & DasGupta 2001, Statistical Science 16), together
    as they vary together between sessions. No correction for finite populations: intervals are
    wide where most sessions are audited.
    """
    units = population.friction + population.clean
    rules_rate = population.friction / units if units else None
    flagged = _share(sessions, yes="both", no="rules_only")
    unflagged = _share(sessions, yes="model_only", no="neither")
    note = _why_not(len(sessions), population, flagged, unflagged)
    if note:
        return AuditEstimate(rules_rate, None, None, note)
    weights = (population.friction / units, population.clean / units)
    shares = (flagged or _NOTHING, unflagged or _NOTHING)
    found, missed = (w * s.value for w, s in zip(weights, shares, strict=True))
    drawn = [w * d for w, d in zip(weights, _posteriors(*shares), strict=True)]
    rate = _figure(found + missed, drawn[0] + drawn[1])
    if not found + missed:
        none = f"recall not measured: the model found no friction in {len(sessions)} sessions"
        return AuditEstimate(rules_rate, rate, None, none)
    recall = _figure(found / (found + missed), drawn[0] / (drawn[0] + drawn[1]))
    return AuditEstimate(rules_rate, rate, recall, "")


def _share(sessions: Sequence[Audited], *, yes: str, no: str) -> _Share | None:
    """The weighted share of `yes` among the units of a stratum; None where it has no unit."""
    weight = np.array([1 / session.rate for session in sessions])
    hits = np.array([getattr(session, yes) for session in sessions], dtype=float)
    units = hits + np.array([getattr(session, no) for session in sessions], dtype=float)
    if not units.sum():
        return None
    total = float((weight * units).sum())
    value = float((weight * hits).sum()) / total
    residuals = weight * (hits - value * units) / total
    if value in (0.0, 1.0):
        # No variance to be seen: sessions, not their units, are independent (Kish's weights).
        held = weight[units > 0]
        return _Share(value, float(held.sum() ** 2 / (held**2).sum()), residuals)
    size = _effective_size(value, residuals, clusters=int((units > 0).sum()))
    return _Share(value, min(size, float(units.sum())), residuals)


def _effective_size(value: float, residuals: NDArray[np.float64], *, clusters: int) -> float:
    """Of independent units; infinite where sessions do not differ, the caller bounds it."""
    if clusters == 1:
        return 1.0
    variance = clusters / (clusters - 1) * float((residuals**2).sum())
    if not variance:
        return math.inf
    size = value * (1 - value) / variance
    wide = stdtrit([max(1.0, size - 1), clusters - 1], (1 + _LEVEL) / 2)
    return size * float((wide[0] / wide[1]) ** 2)


def _why_not(
    audited: int, population: Population, flagged: _Share | None, unflagged: _Share | None
) -> str:
    if audited < MIN_AUDITED:
        return f"not measured: {audited} audited session{'' if audited == 1 else 's'}"
    if population.friction and flagged is None:
        return f"not measured: the rules found no friction in {audited} audited sessions"
    if population.clean and unflagged is None:
        return f"not measured: the rules found nothing clean in {audited} audited sessions"
    return "" if population.friction + population.clean else "not measured: nothing to judge"


def _posteriors(flagged: _Share, unflagged: _Share) -> list[NDArray[np.float64]]:
    """Draws of both shares, with the correlation of their residuals (a Gaussian copula)."""
    norms = [float(np.linalg.norm(share.residuals)) for share in (flagged, unflagged)]
    together = (
        float(flagged.residuals @ unflagged.residuals) / math.prod(norms) if all(norms) else 0
    )
    normals = np.random.default_rng(0).standard_normal((2, _DRAWS))
    normals[1] = together * normals[0] + math.sqrt(max(0.0, 1 - together**2)) * normals[1]
    return [
        _posterior(share, ndtr(normal))
        for share, normal in zip((flagged, unflagged), normals, strict=True)
    ]


def _posterior(share: _Share, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    if not share.size:
        return np.zeros(_DRAWS)
    hits = share.size * share.value
    quantiles: NDArray[np.float64] = betaincinv(hits + 0.5, share.size - hits + 0.5, uniform)
    return quantiles


def _figure(value: float, drawn: NDArray[np.float64]) -> Figure:
    """Bounds by quantiles; at 0 and 1 the open side reaches the end (Brown, Cai, DasGupta)."""
    low, high = (float(x) for x in np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]))
    if math.isclose(value, 0):
        low = 0.0
    if math.isclose(value, 1):
        high = 1.0
    return Figure(value, min(low, value), max(high, value))
