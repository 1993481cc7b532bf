"""The cascade's choice: which sessions a model judges, and in which order.

Two queues are merged. The *audit* is a uniform random sample of all sessions that wait or have
been judged by the model; the *informative* queue holds the rest, best first. A run may stop
anywhere in the merged order (budget, a killed process) and biases neither: both queues are fixed
beforehand from what the rules said and from token counts, so a stop only shortens each to its
first part, and the first part of the audit, which is ordered by its random numbers, is again a
uniform random sample (permanent random numbers: Ohlsson 1995, "Coordination of samples using
permanent random numbers", in Business Survey Methods). What the model answers never moves a
session in either queue.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

AUDIT_MINIMUM = 20
"""Sessions that the audit aims at, however small its share of the budget."""
AUDIT_MOST = 0.5
"""Share of a run's tokens that the audit may take to reach that minimum."""
_UNKNOWN = 0.5
"""Chance that a turn's verdict changes where the rules gave it no score."""


@dataclass(frozen=True, slots=True)
class Screened:
    """A session that waits for the model, as the rules left it."""

    session_key: str
    tokens: int
    """About what the model would be sent."""
    change: float | None
    """`expected_change` of the rules' verdicts; None: the rules could not judge the session."""


class Chosen(NamedTuple):
    """A place in the order; `is_audit`: drawn at random, not for what the rules said."""

    session_key: str
    is_audit: bool
    tokens: int


def judging_order(
    waiting: Sequence[Screened], draws: Mapping[str, float], *, audit_tokens_share: float
) -> list[Chosen]:
    """All of `waiting`, each once: audit draws by their random number, the rest by their worth.

    `draws` are the audit draws' `random_number` by session key. An audit session is next whenever
    the audit has had less than its share of the tokens so far. Ties are broken by session key.
    """
    audit = sorted(
        (item for item in waiting if item.session_key in draws),
        key=lambda item: (draws[item.session_key], item.session_key),
    )
    informative = sorted((i for i in waiting if i.session_key not in draws), key=_worth_first)
    order: list[Chosen] = []
    spent = spent_on_audit = 0
    while audit or informative:
        is_audit = not informative or bool(audit and spent_on_audit <= audit_tokens_share * spent)
        item = (audit if is_audit else informative).pop(0)
        order.append(Chosen(item.session_key, is_audit, item.tokens))
        spent += item.tokens
        spent_on_audit += item.tokens * is_audit
    return order


def expected_change(scores: Sequence[float | None], verdicts: Sequence[bool]) -> float:
    """How many yes/no verdicts a better judge is expected to turn over.

    `scores` are calibrated probabilities of friction, `verdicts` what the rules said of the same
    turns; a turn near the operating point adds up to about a half, a clear one nearly nothing.
    """
    return sum(
        _UNKNOWN if score is None else 1 - score if verdict else score
        for score, verdict in zip(scores, verdicts, strict=True)
    )


def random_number(session_key: str, seed: int) -> float:
    """The session's permanent random number in [0, 1): the same in every run."""
    digest = hashlib.sha256(f"{seed}\0{session_key}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53)


def audit_rate(*, share: float, tokens: int, all_tokens: int, sessions: int) -> float:
    """The probability with which each session is drawn for the audit.

    `tokens` are those the model has been and will be sent in all, `all_tokens` what all sessions
    would take: so about `share` of what is sent goes to the audit. At least AUDIT_MINIMUM sessions
    are expected to be drawn; a share of 0 draws none.
    """
    if not share or not sessions:
        return 0.0
    of_budget = share * tokens / all_tokens if all_tokens else share
    return min(1.0, max(of_budget, AUDIT_MINIMUM / sessions))


def audit_tokens_share(*, share: float, audit_tokens: int, budget: int) -> float:
    """The share of this run's tokens that the audit may take: more than `share` only for those
    draws that its minimum asks for, and never more than AUDIT_MOST for them.
    """
    wanted = audit_tokens / budget if budget else 1.0
    return max(share, min(AUDIT_MOST, wanted)) if share else 0.0


def _worth_first(item: Screened) -> tuple[bool, float, str]:
    """What the rules could not judge first, then the most expected change a token."""
    tokens = max(1, item.tokens)
    if item.change is None:
        return False, float(tokens), item.session_key
    return True, -item.change / tokens, item.session_key
