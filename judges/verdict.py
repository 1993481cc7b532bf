"""What a judge says of a session."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agent_core.session import Session

Polarity = Literal["friction", "delight"]
Severity = Literal["low", "medium", "high"]
Status = Literal["judged", "pending", "unscored"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of friction or delight, at one step; holds abstracted text only."""

    polarity: Polarity
    type: str
    severity: Severity
    confidence: float
    """Probability in [0, 1] that the moment is real."""
    source_ref: str
    """The step it points to."""
    turn_ref: str | None
    """`source_ref` of the turn that closes the segment; None in the tail."""
    descriptor: str
    """Phrase from a closed vocabulary, without the type's name; what is embedded."""
    citation: str
    """Abstracted sentence for people; never a quotation."""
    tool: str | None = None
    error_class: str | None = None
    error_signature: str | None = None
    """`class:salted hash` (agent_core.signature.salted_signature)."""
    evidence: tuple[str, ...] = ()
    """Names of the rules or features that fired (closed vocabulary)."""


@dataclass(frozen=True, slots=True)
class TurnScore:
    """Scores of one of the person's turns, in [0, 1]; None: could not be judged."""

    source_ref: str
    turn: int
    friction_score: float | None
    delight_score: float | None


@dataclass(frozen=True, slots=True)
class JudgeIdentity:
    """What a judgement is keyed by besides the session's content; a change re-judges."""

    judge: str
    judge_version: str
    prompt_version: str
    model: str
    rubric_version: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict over a session, or the reason why there is none."""

    session_key: str
    identity: JudgeIdentity
    status: Status
    reason: str | None = None
    """Why `unscored` or `pending`; None when judged."""
    summary: str = ""
    """Abstract summary of the session, from templates or filtered."""
    moments: tuple[Moment, ...] = ()
    turns: tuple[TurnScore, ...] = ()
    facets: Mapping[str, Any] | None = None
    """Values that only a judge can know (intent, outcome), by facet name."""
    friction_score: float | None = None
    delight_score: float | None = None
    tokens_sent: int = 0
    tokens_cached: int = 0
    """Of `tokens_sent`, those that the endpoint had in its cache."""
    tokens_received: int = 0
    cost_usd: float | None = None
    """What the calls cost by the price table; None: nothing was paid for, or a price is unknown."""
    unusable: tuple[str, ...] = ()
    """Hashes of the requests whose answers left it unscored: not to be answered alike again."""


class Judge(Protocol):
    """One callable: a session in, a judgement out. Never raises for one session's content."""

    @property
    def identity(self) -> JudgeIdentity: ...

    def __call__(self, session: Session) -> Judgement: ...
