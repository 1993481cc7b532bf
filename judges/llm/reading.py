"""One session while the model judges it: its steps, its segments, what was spent on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from agent_core.model import ModelReply
from agent_core.privacy import PrivacyFilter
from agent_core.session import Session, Tokens
from judges.rules.wording import Scene
from judges.transcript import NumberedStep
from judges.verdict import Judgement

CostOf = Callable[[Tokens], float | None]
"""What one call cost in USD; None where that is not known."""


def unknown_cost(_tokens: Tokens) -> None:
    """The cost where there is no price."""


@dataclass(slots=True)
class Spent:
    """Tokens and money of one session's calls."""

    cost_of: CostOf = unknown_cost
    sent: int = 0
    cached: int = 0
    received: int = 0
    calls: int = 0
    costs: list[float] = field(default_factory=list)

    def add(self, reply: ModelReply) -> None:
        """Count a reply, usable or not: it is paid for."""
        self.sent += reply.tokens.input
        self.cached += reply.tokens.cached
        self.received += reply.tokens.output
        self.calls += 1
        cost = self.cost_of(reply.tokens)
        if cost is not None:
            self.costs.append(cost)

    def on(self, judgement: Judgement) -> Judgement:
        """The judgement with what it took; its cost is unknown where that of any call is."""
        is_known = bool(self.calls) and len(self.costs) == self.calls
        return replace(
            judgement,
            tokens_sent=self.sent,
            tokens_cached=self.cached,
            tokens_received=self.received,
            cost_usd=sum(self.costs) if is_known else None,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """A session with what each pass needs of it."""

    session: Session
    steps: Sequence[NumberedStep]
    scenes: Sequence[Scene]
    privacy: PrivacyFilter
    spent: Spent

    def scene_of(self, number: int) -> Scene:
        """The segment that holds step `number`; copied steps are in neither numbering."""
        passed = 0
        for scene in self.scenes:
            passed += len(scene.view.segment.steps)
            if number <= passed:
                return scene
        return self.scenes[-1]
