"""Putting a session together: steps in order, results folded into the calls they answer."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from agent_core.session import Observation, Session, Step


@dataclass
class SessionDraft:
    """The steps of one session while its file is read, in file order.

    File order is the conversation's: in real logs times go back in 8 % of the lines, but a
    record stands before its parent in one of 37,000.
    """

    steps: list[Step] = field(default_factory=list)
    clashes: int = 0
    """Records that call themselves as an earlier one does and say something else."""
    _names: set[str] = field(default_factory=set)
    _claims: set[tuple[str, int]] = field(default_factory=set)

    def add(self, step: Step) -> None:
        """Append a step; its observations are folded once all calls are known."""
        self.steps.append(step)

    def claim(self, source_ref: str, place: str, content: Any) -> str | None:
        """The reference for a record that calls itself `source_ref`.

        A record that repeats an earlier one gives None; another one under the same reference is
        known by its place instead.
        """
        told = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)
        claim = (source_ref, hash(told))
        if claim in self._claims:
            return None
        self._claims.add(claim)
        if source_ref in self._names:
            self.clashes += 1
            return place
        self._names.add(source_ref)
        return source_ref

    def finish(self) -> tuple[Step, ...]:
        """All steps, each observation in the step that made its call where that step exists.

        A step that only carried results answered elsewhere disappears.
        """
        folded = self._fold()
        finished: list[Step] = []
        for position, step in enumerate(self.steps):
            observations = tuple(folded.get(position, ()))
            if observations == step.observations:
                finished.append(step)
            elif observations or not _is_bare(step):
                finished.append(replace(step, observations=observations))
        return tuple(finished)

    def _fold(self) -> dict[int, list[Observation]]:
        makers: dict[str, list[int]] = {}
        for position, step in enumerate(self.steps):
            for call in step.tool_calls:
                makers.setdefault(call.call_id, []).append(position)
        folded: dict[int, list[Observation]] = {}
        for position, step in enumerate(self.steps):
            for observation in step.observations:
                made_at = makers.get(observation.call_id or "")
                maker = _last_before(made_at, position) if made_at else position
                folded.setdefault(maker, []).append(observation)
        return folded


def _last_before(made_at: list[int], position: int) -> int:
    """Some programs use an id again: the result belongs to the last call before it."""
    return made_at[max(0, bisect_right(made_at, position) - 1)]


def _is_bare(step: Step) -> bool:
    has_content = step.text or step.reasoning or step.tool_calls or step.tokens
    return not (has_content or step.is_person or step.event)


def result_step(
    source_ref: str,
    observations: Iterable[Observation],
    timestamp: datetime | None = None,
    content_id: str | None = None,
) -> Step:
    """A step that only carries results: it stays where no step of the session made the calls."""
    return Step(
        source_ref,
        "system",
        timestamp=timestamp,
        observations=tuple(observations),
        content_id=content_id,
    )


def with_facts_of_steps(session: Session) -> Session:
    """The session with the times and the autonomy that follow from its steps."""
    times = [step.timestamp for step in session.steps if step.timestamp]
    has_person = any(step.is_person for step in session.steps)
    has_agent = any(step.source == "agent" for step in session.steps)
    return replace(
        session,
        started_at=session.started_at or min(times, default=None),
        ended_at=session.ended_at or max(times, default=None),
        is_autonomous=session.is_autonomous or (has_agent and not has_person),
    )
