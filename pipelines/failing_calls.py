"""Whether the model's endpoint fails whatever it is asked, told from the calls as they come back.

What such calls were about is not to blame: it is no attempt on a session, and is asked for again.
"""

from dataclasses import dataclass

from agent_core.errors import ModelError, ModelReplyError
from judges.llm import Answer
from pipelines.open_session import OpenSession

MOST_IN_A_ROW = 5
"""Failed calls, each tried as often as `[judge] max_retries` says, after which a run ends."""


@dataclass(slots=True)
class FailingCalls:
    """The endpoint's failures since its last answer."""

    in_a_row: int = 0
    has_answered: bool = False
    last: ModelReplyError | None = None

    def note(self, answer: Answer) -> None:
        """Count a call; one that was refused for what it asked says nothing of the endpoint."""
        if not isinstance(answer, ModelReplyError):
            self.in_a_row, self.has_answered = 0, True
        elif answer.is_endpoints:
            self.in_a_row, self.last = self.in_a_row + 1, answer

    def verdict(self, *, is_over: bool = False) -> ModelError | None:
        """The error that ends the run: after so many in a row, or where a whole run got nothing."""
        in_vain = is_over and not self.has_answered
        if (
            self.last is None
            or not self.in_a_row
            or not (self.in_a_row >= MOST_IN_A_ROW or in_vain)
        ):
            return None
        calls = "1 call" if self.in_a_row == 1 else f"{self.in_a_row} calls in a row"
        return ModelError(f"{self.last} ({calls} failed; no session is held for it)")


def failed_by_endpoint(session: OpenSession) -> bool:
    """Whether all that a session is unscored for are failures of the endpoint."""
    return session.is_cut_short and all(failure.is_endpoints for failure in session.failures)
