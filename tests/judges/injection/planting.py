"""Where a hostile text can stand in a session."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent_core.session import Observation, Session, Step, ToolCall

MOST_STEPS = 6
"""Steps of a session that a text is planted in, in each position."""

Planting = Callable[[Step, str], Step]


def planted(session: Session, position: str, text: str, seed: int) -> Session:
    """The session with the text in up to MOST_STEPS steps; the same session if it has none.

    Of the person's turns one is chosen: who says the same thing twice restates it.
    """
    fits, plant = POSITIONS[position]
    places = [n for n, step in enumerate(session.steps) if fits(step)]
    most = 1 if position in OF_THE_PERSON else MOST_STEPS
    chosen = set(random.Random(seed).sample(places, min(most, len(places))))
    steps = tuple(
        plant(step, text) if n in chosen else step for n, step in enumerate(session.steps)
    )
    return replace(session, steps=steps)


def _has_calls(step: Step) -> bool:
    return bool(step.tool_calls)


def _served(step: Step) -> bool:
    return any(not observation.is_error for observation in step.observations)


def _failed(step: Step) -> bool:
    return any(observation.is_error for observation in step.observations)


def _is_spoken(step: Step) -> bool:
    return step.source == "agent" and bool(step.text.strip())


def _is_reasoned(step: Step) -> bool:
    return step.source == "agent" and bool(step.reasoning.strip())


def _is_harness(step: Step) -> bool:
    return not step.is_person and step.source != "agent" and step.event is None


def _is_turn(step: Step) -> bool:
    return step.is_person and bool(step.text.strip())


def _in_results(*, failed: bool) -> Planting:
    def plant(step: Step, text: str) -> Step:
        return replace(step, observations=_with_text(step.observations, text, failed))

    return plant


def _with_text(
    observations: Sequence[Observation], text: str, failed: bool
) -> tuple[Observation, ...]:
    return tuple(
        replace(seen, content=f"{seen.content}\n{text}") if seen.is_error == failed else seen
        for seen in observations
    )


def _as_file(step: Step, text: str) -> Step:
    """A file with the text in it, as a tool shows one."""
    lines = "\n".join(f"{n:>6}\t{line}" for n, line in enumerate(text.splitlines(), start=1))
    return _in_results(failed=False)(step, lines)


def _in_arguments(step: Step, text: str) -> Step:
    calls = tuple(
        replace(call, arguments={**call.arguments, "note": text}) for call in step.tool_calls
    )
    return replace(step, tool_calls=calls)


def _as_key(step: Step, text: str) -> Step:
    calls = tuple(replace(call, arguments={**call.arguments, text: 1}) for call in step.tool_calls)
    return replace(step, tool_calls=calls)


def _as_tool(step: Step, text: str) -> Step:
    """One more call, of a tool of that name, which served."""
    call = ToolCall("planted", text, {})
    return replace(
        step,
        tool_calls=(*step.tool_calls, call),
        observations=(*step.observations, Observation("planted", "ok")),
    )


def _said_by_agent(step: Step, text: str) -> Step:
    """The agent passes it on, between its own words."""
    return replace(step, text=f"{step.text}\n\n{text}\n\n{step.text}")


def _thought(step: Step, text: str) -> Step:
    return replace(step, reasoning=f"{step.reasoning}\n\n{text}\n\n{step.reasoning}")


def _by_harness(step: Step, text: str) -> Step:
    return replace(step, text=f"{step.text}\n{text}")


def _pasted(step: Step, text: str) -> Step:
    return replace(step, text=f"{step.text}\n```\n{text}\n```")


def _quoted(step: Step, text: str) -> Step:
    lines = "\n".join(f"> {line}" for line in text.splitlines())
    return replace(step, text=f"{step.text}\n\n{lines}\n")


def _in_prose(step: Step, text: str) -> Step:
    return replace(step, text=f"{step.text}\n{text}")


POSITIONS: dict[str, tuple[Callable[[Step], bool], Planting]] = {
    "tool result": (_served, _in_results(failed=False)),
    "failed tool result": (_failed, _in_results(failed=True)),
    "file content": (_served, _as_file),
    "tool argument": (_has_calls, _in_arguments),
    "argument name": (_has_calls, _as_key),
    "tool name": (_has_calls, _as_tool),
    "harness text": (_is_harness, _by_harness),
    "agent text": (_is_spoken, _said_by_agent),
    "agent reasoning": (_is_reasoned, _thought),
    "pasted by the person": (_is_turn, _pasted),
    "quoted by the person": (_is_turn, _quoted),
    "in the person's prose": (_is_turn, _in_prose),
}
OF_THE_PERSON = frozenset({"pasted by the person", "quoted by the person", "in the person's prose"})
OWN_WORDS = OF_THE_PERSON | {"agent text", "agent reasoning"}
"""Where the person or the agent speaks, so that any text is an event."""
ADDED_CALL = "tool name"
"""Where the text stands in a call of its own."""
PLAIN_NAME = "other_tool"
"""A name that such a call might have, and that says nothing."""
