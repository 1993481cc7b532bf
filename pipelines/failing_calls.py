"""Whether the model's endpoint fails whatever it is asked, told from the calls as they come back.

What such calls were about is not to blame: it is no attempt on a session, and is asked for again.
But for what was late: it is billed, so a session of which nothing else failed is tried three times.
"""

from dataclasses import dataclass, field

from agent_core.errors import ModelError, ModelReplyError
from judges.llm import Answer
from pipelines.open_session import OpenSession

MOST_IN_A_ROW = 5
"""Sessions with a failed call, tried as often as `[judge] max_retries` says, until a run ends."""


@dataclass(slots=True)
class FailingCalls:
    """The endpoint's failures since its last answer."""

    sessions: set[str] = field(default_factory=set)
    """Whose calls failed; one alone says little of the endpoint, however many calls it takes."""
    has_answered: bool = False
    any_late: bool = False
    last: ModelReplyError | None = None

    def note(self, session_key: str, answer: Answer) -> None:
        """Count a call; one that was refused for what it asked says nothing of the endpoint."""
        if not isinstance(answer, ModelReplyError):
            self.sessions.clear()
            self.has_answered, self.any_late = True, False
        elif answer.is_endpoints:
            self.sessions.add(session_key)
            self.any_late |= answer.is_late
            self.last = answer

    def verdict(self, *, is_over: bool = False) -> ModelError | None:
        """The error that ends the run: after so many in a row, or where a whole run got nothing."""
        in_vain = is_over and not self.has_answered
        failed = len(self.sessions)
        if self.last is None or not failed or not (failed >= MOST_IN_A_ROW or in_vain):
            return None
        whose = "1 session" if failed == 1 else f"{failed} sessions in a row"
        held = "late ones are tried on three days" if self.any_late else "none is held for it"
        return ModelError(f"{self.last} (calls for {whose} failed; {held})")


def failed_by_endpoint(session: OpenSession) -> bool:
    """Whether a session is unscored for failures of the endpoint alone, at least one not late."""
    failures = session.failures
    is_endpoints = session.is_cut_short and all(failure.is_endpoints for failure in failures)
    return is_endpoints and not all(failure.is_late for failure in failures)
