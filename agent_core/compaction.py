"""A conversation that outgrows the model's window, made shorter by code.

First old results are condensed, then old turns become one line a call, then the newest results are
condensed too. The turns of the user stay as they are; the plan is no part of the conversation.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from agent_core.condense import Shape, condense
from agent_core.error_line import telling_line
from agent_core.policy import Action, AgentTurn, Compaction, Turns, UserTurn
from agent_core.session import Observation, ToolCall

_BYTES_PER_TOKEN = 4
_TURN_TOKENS = 8
"""What an endpoint adds to a message by itself, about."""
_KEPT_WHOLE = 3
"""The newest turns of the agent, whose results it is still at work on."""
_OLD, _NEWEST = Shape(5, 5, 5), Shape(20, 30, 10)
_OLD_CHARS, _NEWEST_CHARS = 1_500, (12_000, 4_000, 1_500)
_LONGEST_ARGUMENT = 300
_LONGEST_LINE = 200
_MOST_SUMMARY_LINES = 100
_MARK = "[condensed: "
_CONDENSED = _MARK + "a result of {count} characters; call the tool again for all of it]"
_SUMMARY = "Earlier work in this task, one line a call; call a tool again for its result:"

_Rule = Callable[[AgentTurn], AgentTurn]


def estimated_tokens(text: str) -> int:
    """Tokens of a text, about: four bytes each (measured on no model in particular)."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def compact(turns: Turns, most_tokens: float) -> Compaction | None:
    """The turns in at most so many estimated tokens, or as few as they can be made.

    None: there is nothing to shorten.
    """
    before = _tokens(turns)
    old = _agent_positions(turns)[:-_KEPT_WHOLE]
    shorter = _shortened(turns, old, _with_old_condensed, most_tokens)
    condensed = sum(one is not other for one, other in zip(turns, shorter, strict=True))
    summed = 0
    if _tokens(shorter) > most_tokens and old:
        shorter, summed = _summed_up(turns, set(old)), len(old)
    newest = _agent_positions(shorter)[-_KEPT_WHOLE:]
    for most_chars in _NEWEST_CHARS:
        rule = partial(_with_newest_condensed, most_chars)
        shorter = _shortened(shorter, newest, rule, most_tokens)
    after = _tokens(shorter)
    if after >= before:
        return None
    return Compaction(shorter, _note(before, after, 0 if summed else condensed, summed))


def _note(before: int, after: int, condensed: int, summed: int) -> str:
    what = f"{summed} earlier turns summed up" if summed else f"{condensed} turns condensed"
    if not (summed or condensed):
        what = "the newest results condensed"
    return f"The conversation was shortened from about {before} to {after} tokens: {what}."


def _agent_positions(turns: Turns) -> list[int]:
    return [i for i, turn in enumerate(turns) if isinstance(turn, AgentTurn)]


def _shortened(turns: Turns, positions: list[int], rule: _Rule, most_tokens: float) -> Turns:
    """One turn after the other, the oldest first, until it is enough."""
    shorter, excess = list(turns), _tokens(turns) - most_tokens
    for position in positions:
        turn = shorter[position]
        if excess <= 0 or not isinstance(turn, AgentTurn):
            continue
        changed = rule(turn)
        saved = _turn_tokens(turn) - _turn_tokens(changed)
        if saved > 0:
            shorter[position] = changed
            excess -= saved
    return tuple(shorter)


def _with_old_condensed(turn: AgentTurn) -> AgentTurn:
    calls = tuple(
        replace(call, arguments=_shorter_arguments(call.arguments))
        for call in turn.action.tool_calls
    )
    results = tuple(_condensed(one, _OLD, _OLD_CHARS) for one in turn.observations)
    return replace(turn, action=replace(turn.action, tool_calls=calls), observations=results)


def _with_newest_condensed(most_chars: int, turn: AgentTurn) -> AgentTurn:
    results = tuple(_condensed(one, _NEWEST, most_chars) for one in turn.observations)
    return replace(turn, observations=results)


def _condensed(observation: Observation, shape: Shape, most_chars: int) -> Observation:
    content = observation.content
    if len(content) <= most_chars:
        return observation
    head = _CONDENSED.format(count=len(content))
    if content.startswith(_MARK):
        head, _, content = content.partition("\n")
    short = condense(content, shape, "call the tool again")
    if len(short) > most_chars:
        half = most_chars // 2
        short = f"{short[:half]}\n[{len(short) - 2 * half} characters left out]\n{short[-half:]}"
    return replace(observation, content=f"{head}\n{short}")


def _shorter_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shorter(value) for name, value in arguments.items()}


def _shorter(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= _LONGEST_ARGUMENT:
        return value
    return f"{value[:_LONGEST_ARGUMENT]} [{len(value) - _LONGEST_ARGUMENT} characters left out]"


def _summed_up(turns: Turns, old: set[int]) -> Turns:
    """Each run of old turns of the agent as one turn of its own."""
    kept: list[UserTurn | AgentTurn] = []
    run: list[AgentTurn] = []
    for position, turn in enumerate(turns):
        if position in old and isinstance(turn, AgentTurn):
            run.append(turn)
            continue
        if run:
            kept.append(_summary(run))
            run = []
        kept.append(turn)
    return (*kept, _summary(run)) if run else tuple(kept)


def _summary(run: list[AgentTurn]) -> AgentTurn:
    lines = [line for turn in run for line in _lines(turn)][-_MOST_SUMMARY_LINES:]
    spent = sum(turn.action.spent_tokens for turn in run)
    return AgentTurn(Action("\n".join([_SUMMARY, *lines]), spent_tokens=spent), ())


def _lines(turn: AgentTurn) -> Iterator[str]:
    text = turn.action.text
    if text.startswith(_SUMMARY):
        yield from text.splitlines()[1:]
    elif text:
        yield f"- said: {_one_line(text)}"
    results = {one.call_id: one for one in turn.observations}
    for call in turn.action.tool_calls:
        yield f"- {_called(call)}: {_outcome(results.get(call.call_id))}"


def _called(call: ToolCall) -> str:
    arguments = json.dumps(call.arguments, ensure_ascii=False, default=str)
    return f"{call.name} {_one_line(arguments)}"


def _outcome(observation: Observation | None) -> str:
    if observation is None:
        return "no result"
    if observation.is_error:
        return f"{observation.error_class}: {_one_line(telling_line(observation.content))}"
    return f"served, {len(observation.content)} characters"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _tokens(turns: Turns) -> int:
    return sum(map(_turn_tokens, turns))


def _turn_tokens(turn: UserTurn | AgentTurn) -> int:
    if isinstance(turn, UserTurn):
        return _TURN_TOKENS + estimated_tokens(turn.text)
    said = estimated_tokens(turn.action.text)
    for call in turn.action.tool_calls:
        said += _TURN_TOKENS + estimated_tokens(json.dumps(call.arguments, default=str))
    for observation in turn.observations:
        said += _TURN_TOKENS + estimated_tokens(observation.content)
    return _TURN_TOKENS + said
