"""The policy of a model: the conversation in, its tool calls or its answer out.

Secrets are redacted in what is sent; the tools themselves see the files as they are.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from agent_core.compaction import compact, estimated_tokens
from agent_core.controls import Control, control, controls
from agent_core.errors import ModelReplyError
from agent_core.model import CallRequest, ChatMessage, ChatModel, ModelReply, ToolSchema
from agent_core.plan import DEFAULT_PLAN, READING, Plan, Subtask, show
from agent_core.playbook import Playbook, load_playbooks
from agent_core.playbook_policy import failure_kind
from agent_core.policy import Action, AgentState, AgentTurn, Compaction, Ending, UserTurn
from agent_core.redaction import redact_secrets, redact_values
from agent_core.remedies import TOOLS
from agent_core.session import Observation, ToolCall
from agent_core.toolkit.tool import failed

PROMPTS_FOLDER = Path(__file__).parent / "prompts"
DEFAULT_CONTEXT_TOKENS = 60_000
_FULL, _COMPACTED = 0.8, 0.5
"""Of the window: what starts a compaction, and what is left after it; the gap keeps the next calls
the same from their beginning, which endpoints cache."""
_SMALLER = 0.75
"""Of what an endpoint refused as too long, what is believed to be its window."""
_TOO_LONG_WORDS = ("context", "too long", "too many tokens")
_MOST_SCALE = 4.0
_CUT_OFF = frozenset({"length", "content_filter"})
_NOTED_TURNS = 6
_NOTES = """
## Advice
From a program that looks on, not from the person. Follow it where it fits:
{notes}
"""
_TEMPLATES = """
## Playbooks
For failures of this kind. The plan comes from them; revise it where what you observe calls for
another:
{texts}
"""
_CHOICE = "find out by the recorded calls which playbook fits: {names}"
_SPENT = "Stopped: {spent} tokens are spent, and the next call would exceed the budget of {budget}."
_TOO_LONG = "The conversation is too long for a window of {window} tokens, also when shortened."
_NO_JSON = "invalid argument: the arguments are no JSON object; send one"


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """How many tokens one call may hold, and all calls of a task together."""

    context: int = DEFAULT_CONTEXT_TOKENS
    """The model's window, less what its answer takes."""
    budget: int | None = None
    """Sent and received; None: no limit."""


class _Request(NamedTuple):
    messages: list[ChatMessage]
    tools: Sequence[ToolSchema]


class ModelPolicy:
    """Asks a chat model; a conversation that outgrows the window is made shorter first."""

    def __init__(
        self,
        model: ChatModel,
        *,
        prompts: Path = PROMPTS_FOLDER,
        limits: TokenLimits | None = None,
        playbooks: Sequence[Playbook] | None = None,
    ) -> None:
        """`playbooks` None: those that are packaged; those for the task's failure give its plan."""
        self._model = model
        self._system = (prompts / "system.md").read_text(encoding="utf-8")
        self._limits = limits or TokenLimits()
        self._playbooks = load_playbooks() if playbooks is None else tuple(playbooks)
        self._scale = 1.0

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def model(self) -> ChatModel:
        """The model itself, which also reviews the patches that it made."""
        return self._model

    def next_action(self, state: AgentState) -> Action:
        """One call of the model, unless the budget forbids it; raises what the model raises.

        What an endpoint refuses as too long tells how small its window is: it is asked again with
        less, until it answers or nothing more can be left out.
        """
        playbooks = self._fitting(state)
        plan = _template(state, playbooks)
        state = replace(state, plan=plan or state.plan)
        shorter, compaction = self._compacted(state, playbooks)
        request = self._request(shorter, playbooks)
        needed = self._estimate(request)
        if ended := self._not_sent(state, needed):
            return replace(ended, compaction=compaction)
        try:
            reply = self._model(request.messages, tools=request.tools)
        except ModelReplyError as error:
            if not _is_too_long(error):
                raise
            self._limits = replace(self._limits, context=int(needed * _SMALLER))
            return self.next_action(state)
        action, spent = self._action(reply, state), self._spent(reply, request)
        return replace(action, plan=action.plan or plan, spent_tokens=spent, compaction=compaction)

    def _fitting(self, state: AgentState) -> list[Playbook]:
        """Those for the failure that a task names, the newest such task first.

        They mend the core's own tools: in another repository there are none.
        """
        if not (state.toolbox.workspace.root / TOOLS).is_dir():
            return []
        tasks = [turn.text for turn in reversed(state.turns) if isinstance(turn, UserTurn)]
        kind = next(filter(None, map(failure_kind, tasks)), None)
        if kind is None:
            return []
        return [one for one in self._playbooks if one.applies_to(kind.tool, kind.error_class)]

    def _compacted(
        self, state: AgentState, playbooks: Sequence[Playbook]
    ) -> tuple[AgentState, Compaction | None]:
        """The state whose conversation has room in the window, where it can be made so."""
        needed = self._estimate(self._request(state, playbooks))
        if needed <= self._limits.context * _FULL:
            return state, None
        around = self._estimate(self._request(replace(state, turns=()), playbooks))
        room = (self._limits.context * _COMPACTED - around) / self._scale
        compaction = compact(state.turns, room)
        if compaction is None:
            return state, None
        return replace(state, turns=compaction.turns), compaction

    def _request(self, state: AgentState, playbooks: Sequence[Playbook]) -> _Request:
        texts = "\n\n".join(one.text for one in playbooks)
        shown = _TEMPLATES.format(texts=texts) if playbooks else ""
        plan = f"\n## Plan\n{_redacted(show(state.plan))}\n"
        system = f"{self._system}{plan}{shown}{_notes(state)}"
        tools = (*state.toolbox.schemas(), *controls(has_person=state.has_person))
        return _Request([ChatMessage("system", system), *_conversation(state)], tools)

    def _estimate(self, request: _Request) -> int:
        """Tokens that a request will be counted for, by what the last one was."""
        return round(_bare_estimate(request) * self._scale)

    def _not_sent(self, state: AgentState, needed: int) -> Action | None:
        """How the turn ends where so many tokens are more than window or budget allow."""
        if needed > self._limits.context:
            return Action(_TOO_LONG.format(window=self._limits.context), ending="gave_up")
        budget, spent = self._limits.budget, spent_tokens(state)
        if budget is None or spent + needed <= budget:
            return None
        return Action(_SPENT.format(spent=spent, budget=budget), ending="budget")

    def _spent(self, reply: ModelReply, request: _Request) -> int:
        """What the call counts for; the endpoint's figures set the scale of later estimates."""
        estimate = _bare_estimate(request)
        sent = reply.tokens.input or round(estimate * self._scale)
        if reply.tokens.input:
            scale = reply.tokens.input / max(1, estimate)
            self._scale = min(max(scale, 1 / _MOST_SCALE), _MOST_SCALE)
        said = reply.text + "".join(call.arguments for call in reply.tool_calls)
        return sent * (1 + reply.lost_tries) + (reply.tokens.output or estimated_tokens(said))

    def _action(self, reply: ModelReply, state: AgentState) -> Action:
        parsed = [(request, request.parsed()) for request in reply.tool_calls]
        calls = tuple(ToolCall(r.call_id, r.name, arguments or {}) for r, arguments in parsed)
        settled = {
            call.call_id: failed(call, "invalid_arguments", _NO_JSON)
            for call, (_, arguments) in zip(calls, parsed, strict=True)
            if arguments is None
        }
        own = _own(calls, settled, has_person=state.has_person)
        question = next((one.question for one in own.values() if one.question), "")
        return Action(
            text=reply.text or reply.refusal or question,
            tool_calls=calls,
            ending=_ending(reply, question),
            plan=next((one.plan for one in own.values() if one.plan), None),
            model=self._model.name,
            tokens=reply.tokens,
            settled=settled | {call_id: one.observation for call_id, one in own.items()},
        )


def _is_too_long(error: ModelReplyError) -> bool:
    said = str(error.__cause__).lower()
    return not error.is_endpoints and any(words in said for words in _TOO_LONG_WORDS)


def spent_tokens(state: AgentState) -> int:
    """Tokens that the calls of a session count for in a budget."""
    return sum(t.action.spent_tokens for t in state.turns if isinstance(t, AgentTurn))


def _own(
    calls: Sequence[ToolCall], settled: dict[str, Observation], *, has_person: bool
) -> dict[str, Control]:
    """The calls to the loop itself, by their ids."""
    found = {
        call.call_id: control(call, has_person=has_person)
        for call in calls
        if call.call_id not in settled
    }
    return {call_id: one for call_id, one in found.items() if one is not None}


def _ending(reply: ModelReply, question: str) -> Ending:
    if question:
        return "asked"
    return "gave_up" if reply.refusal or reply.finish_reason in _CUT_OFF else "done"


def _template(state: AgentState, playbooks: Sequence[Playbook]) -> Plan | None:
    """The plan at the beginning of a task: its playbook's, or to choose among several."""
    last = state.turns[-1] if state.turns else None
    if not (playbooks and isinstance(last, UserTurn) and failure_kind(last.text)):
        return None
    if len(playbooks) == 1:
        return playbooks[0].plan()
    names = ", ".join(one.front.name for one in playbooks)
    return (Subtask(_CHOICE.format(names=names), READING), *DEFAULT_PLAN[1:])


def _bare_estimate(request: _Request) -> int:
    texts = [message.content for message in request.messages]
    texts += [call.arguments for message in request.messages for call in message.tool_calls]
    texts += [f"{one.description}{json.dumps(dict(one.parameters))}" for one in request.tools]
    return sum(map(estimated_tokens, texts)) + 8 * len(texts)


def _notes(state: AgentState) -> str:
    """The advice on the newest turns; not all endpoints take a system message later on."""
    notes = [turn.note for turn in state.turns[-_NOTED_TURNS:] if turn.note]
    return _NOTES.format(notes="\n".join(f"- {note}" for note in notes)) if notes else ""


def _conversation(state: AgentState) -> Iterator[ChatMessage]:
    for turn in state.turns:
        if isinstance(turn, UserTurn):
            yield ChatMessage("user", _redacted(turn.text))
        else:
            yield from _agent_turn(turn)


def _agent_turn(turn: AgentTurn) -> Iterator[ChatMessage]:
    calls = tuple(
        CallRequest(call.call_id, call.name, json.dumps(redact_values(call.arguments)))
        for call in turn.action.tool_calls
    )
    yield ChatMessage("assistant", _redacted(turn.action.text), calls)
    for observation in turn.observations:
        yield ChatMessage("tool", _redacted(observation.content), call_id=observation.call_id)


@lru_cache(maxsize=256)  # the conversation is sent again with each call
def _redacted(text: str) -> str:
    return redact_secrets(text)
