"""The policy of a model: the conversation in, its tool calls or its answer out.

Secrets are redacted in what is sent; the tools themselves see the files as they are.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from agent_core.model import CallRequest, ChatMessage, ChatModel, ModelReply
from agent_core.plan import show
from agent_core.policy import Action, AgentState, AgentTurn, UserTurn
from agent_core.redaction import redact_secrets, redact_values
from agent_core.session import ToolCall

PROMPTS_FOLDER = Path(__file__).parent / "prompts"
DEFAULT_CONTEXT_CHARS = 240_000
_KEPT_WHOLE = 6
_CUT_OFF = frozenset({"length", "content_filter"})
_NOTED_TURNS = 6
_NOTES = """
## Advice
From a program that looks on, not from the person. Follow it where it fits:
{notes}
"""
_LEFT_OUT = "[{count} characters of an earlier result left out; call the tool again if needed]"


class ModelPolicy:
    """Asks a chat model; old tool results are left out when the context grows too long."""

    def __init__(
        self,
        model: ChatModel,
        *,
        prompts: Path = PROMPTS_FOLDER,
        context_chars: int = DEFAULT_CONTEXT_CHARS,
    ) -> None:
        self._model = model
        self._system = (prompts / "system.md").read_text(encoding="utf-8")
        self._context_chars = context_chars

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def model(self) -> ChatModel:
        """The model itself, which also reviews the patches that it made."""
        return self._model

    def next_action(self, state: AgentState) -> Action:
        """One call of the model; raises what the model raises."""
        system = f"{self._system}\n## Plan\n{_redacted(show(state.plan))}\n{_notes(state)}"
        messages = compacted([*_conversation(state)], self._context_chars)
        opening = ChatMessage("system", system)
        reply = self._model([opening, *messages], tools=state.toolbox.schemas())
        return _action(reply, self._model.name)


def compacted(messages: list[ChatMessage], most_chars: int) -> list[ChatMessage]:
    """The messages with the oldest tool results left out until they fit; the last stay whole."""
    excess = sum(len(message.content) for message in messages) - most_chars
    kept = list(messages)
    for position, message in enumerate(messages[:-_KEPT_WHOLE]):
        if excess <= 0:
            break
        note = _LEFT_OUT.format(count=len(message.content))
        if message.role == "tool" and len(message.content) > len(note):
            kept[position] = ChatMessage("tool", note, call_id=message.call_id)
            excess -= len(message.content) - len(note)
    return kept


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


def _action(reply: ModelReply, model: str) -> Action:
    parsed = [(request, request.parsed()) for request in reply.tool_calls]
    return Action(
        text=reply.text or reply.refusal or "",
        tool_calls=tuple(ToolCall(r.call_id, r.name, arguments or {}) for r, arguments in parsed),
        ending="gave_up" if reply.refusal or reply.finish_reason in _CUT_OFF else "done",
        model=model,
        tokens=reply.tokens,
        unreadable={
            request.call_id: "invalid argument: the arguments are no JSON object; send one"
            for request, arguments in parsed
            if arguments is None
        },
    )
