"""Putting a session together: steps in order, results folded into the calls they answer."""

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
    _results: dict[int, list[Observation]] = field(default_factory=dict)
    clashes: int = 0
    """Records that call themselves as an earlier one does and say something else."""
    _names: set[str] = field(default_factory=set)
    _claims: set[tuple[str, int]] = field(default_factory=set)

    def add(self, step: Step) -> None:
        """Append a step; its observations are folded once all calls are known."""
        if step.observations:
            self._results[len(self.steps)] = list(step.observations)
            step = replace(step, observations=())
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

    def whole_steps(self) -> list[Step]:
        """The steps as they were added, each with the results its own record carries."""
        return [
            replace(step, observations=tuple(self._results.get(position, ())))
            for position, step in enumerate(self.steps)
        ]

    def finish(self, source_path: str) -> tuple[Step, ...]:
        """All steps, each observation in the step that made its call where that step exists.

        A step that only carried results answered elsewhere disappears.
        """
        folded = self._fold()
        finished: list[Step] = []
        for position, step in enumerate(self.steps):
            observations = folded.get(position)
            if observations:
                finished.append(replace(step, observations=tuple(observations)))
            elif position not in self._results or not _is_bare(step):
                finished.append(step)
        return tuple(finished)

    def _fold(self) -> dict[int, list[Observation]]:
        makers: dict[str, list[int]] = {}
        for position, step in enumerate(self.steps):
            for call in step.tool_calls:
                makers.setdefault(call.call_id, []).append(position)
        folded: dict[int, list[Observation]] = {}
        for position, observations in self._results.items():
            for observation in observations:
                made_at = makers.get(observation.call_id or "", [])
                # Some programs use an id again: the result belongs to the last call before it.
                earlier = [at for at in made_at if at <= position]
                maker = (earlier[-1:] or made_at[:1] or [position])[0]
                folded.setdefault(maker, []).append(observation)
        return folded


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
