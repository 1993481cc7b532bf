"""Quantities that passed as proposals of count facets, their evidence in figures for people."""

from collections.abc import Iterable, Mapping
from typing import Any

from facets.measures import MEASURES
from facets.proposal import Proposal, proposal_id
from facets.quantities import ExaminedQuantity


def propose_facets(tested: Iterable[ExaminedQuantity]) -> list[Proposal]:
    """A new count facet for each quantity that passed; it is a measure of `facets.measures`."""
    return [_proposal(found) for found in tested if found.reason is None]


def _proposal(found: ExaminedQuantity) -> Proposal:
    measure = MEASURES[found.measure]
    facet: dict[str, Any] = {
        "name": measure.name,
        "type": "count",
        "definition": measure.definition,
        "provenance": "log",
        "rule": measure.name,
    }
    return Proposal(
        proposal_id=proposal_id("new_facet", measure.name, measure.name),
        kind="new_facet",
        target=measure.name,
        name=measure.name,
        definition=measure.definition,
        facet=facet,
        support=found.sessions,
        sessions=found.sessions,
        users=found.users,
        stability=found.stability,
        evidence=_evidence(found, measure.unit),
    )


def _evidence(found: ExaminedQuantity, unit: str) -> Mapping[str, Any]:
    """Figures by name, rounded for people, with the finding in words."""
    gain = found.gain
    assert gain is not None
    more = "likelier" if (found.odds_ratio or 1) > 1 else "rarer"
    return {
        "finding": (
            f"friction is {more} in sessions with more of it: odds times {found.odds_ratio:.2f} "
            f"({found.odds_low:.2f} to {found.odds_high:.2f}) for each standard deviation, beyond "
            "length, known counts, agent, and user or project"
        ),
        "unit": unit,
        "sessions_tested": found.eligible,
        "odds_ratio": _rounded(found.odds_ratio),
        "odds_low": _rounded(found.odds_low),
        "odds_high": _rounded(found.odds_high),
        "odds_ratio_a_turn": _rounded(found.rate_odds_ratio),
        "p_value": _rounded(found.p_value),
        "q_value": _rounded(found.q_value),
        "gain": _rounded(gain.auroc_with - gain.auroc_without),
        "auroc_without": _rounded(gain.auroc_without),
        "auroc_with": _rounded(gain.auroc_with),
        "log_loss_gain": _rounded(gain.log_loss),
        "log_loss_gain_low": _rounded(gain.low),
        "log_loss_gain_high": _rounded(gain.high),
        "left_out": "users or projects" if gain.by_group else "sessions",
    }


def _rounded(value: float | None) -> float | None:
    """To three significant digits."""
    return None if value is None else float(f"{value:.3g}")
