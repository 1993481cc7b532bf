"""One session while the model judges it: its steps, its segments, what was spent on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent_core.model import ModelReply
from agent_core.privacy import PrivacyFilter
from agent_core.session import Session
from judges.rules.wording import Scene
from judges.transcript import NumberedStep


@dataclass(slots=True)
class Spent:
    """Tokens of one session's calls."""

    sent: int = 0
    received: int = 0

    def add(self, reply: ModelReply) -> None:
        """Count a reply, usable or not: it is paid for."""
        self.sent += reply.tokens.input
        self.received += reply.tokens.output


@dataclass(frozen=True, slots=True)
class Reading:
    """A session with what each pass needs of it."""

    session: Session
    steps: Sequence[NumberedStep]
    scenes: Sequence[Scene]
    privacy: PrivacyFilter
    spent: Spent = field(default_factory=Spent)

    def scene_of(self, number: int) -> Scene:
        """The segment that holds step `number`; copied steps are in neither numbering."""
        passed = 0
        for scene in self.scenes:
            passed += len(scene.view.segment.steps)
            if number <= passed:
                return scene
        return self.scenes[-1]
