"""The steps of a run of mini-SWE-agent: each result in the step whose command it answers."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from agent_core.session import Event, Observation, Step, ToolCall
from pipelines.sources.drafting import SessionDraft, result_step
from pipelines.sources.fields import content_text, id_of, mapping_of, objects_of, text_of, time_of
from pipelines.sources.formats.mini_swe_agent.model_calls import (
    calls_of,
    cost_of,
    response_of,
    text_and_reasoning,
    tokens_of,
)
from pipelines.sources.reading import Quarantined
from pipelines.sources.tool_errors import looks_failed, observe

_ROLES = frozenset(("system", "user", "assistant", "tool", "exit"))
_RETURN_CODE = "<returncode>"
_FAILED_START = re.compile(r"\s*(?:<exception>|The last command <command>)")
# What the person at the terminal may do; version 1 tells it by the text alone.
_BY_PERSON: Mapping[str, str] = {
    "Interrupted by user": "UserInterruption",
    "Command not executed": "UserRejection",
    "The user added a new task": "UserNewTask",
}
_NO_FAILURE = frozenset(("", "Submitted", "LimitsExceeded"))


def is_message(value: Any) -> bool:
    """Whether a value is a message of a chat or an item of the Responses API."""
    if not isinstance(value, dict):
        return False
    if value.get("object") == "response" or value.get("type") == "function_call_output":
        return True
    is_known = isinstance(value.get("role"), str) and value["role"] in _ROLES
    return is_known and isinstance(value.get("content"), str | list | None)


class Conversation:
    """The messages of one run; `pointer` leads to their list."""

    def __init__(self, messages: list[Any], pointer: str, info: Mapping[str, Any]) -> None:
        self.quarantined: list[Quarantined] = []
        self._messages = messages
        self._pointer = pointer
        self._exit_status = id_of(info, "exit_status")
        self._draft = SessionDraft()
        self._unanswered: list[str] = []
        self._refusal_at: int | None = None
        """The message that stands in the step of the answer which it refuses."""

    def steps(self) -> tuple[Step, ...]:
        """The steps; what is no message is noted in `quarantined`."""
        for index, message in enumerate(self._messages):
            if not is_message(message):
                self.quarantined.append(Quarantined(self._place(index), "not a message"))
            elif index != self._refusal_at:
                for step in self._steps_of(index, message):
                    self._draft.add(step)
        return self._draft.finish()

    def _place(self, index: int) -> str:
        return f"{self._pointer}/{index}"

    def _steps_of(self, index: int, message: dict[str, Any]) -> Iterator[Step]:
        role, place = message.get("role"), self._place(index)
        if role == "assistant" or message.get("object") == "response":
            yield self._answer(index, message)
        elif role == "tool" or message.get("type") == "function_call_output":
            yield self._result(place, message, id_of(message, "tool_call_id", "call_id"))
        elif role == "exit":
            yield from self._exit(place, message)
        elif role == "user":
            yield from self._user(index, message)
        else:
            yield _plain(place, message)

    def _answer(self, index: int, message: dict[str, Any]) -> Step:
        own_id = f"call-{index}"
        calls = calls_of(message, own_id)
        following = self._following(index)
        refusals: tuple[Observation, ...] = ()
        if not calls and _text(following).startswith(_RETURN_CODE):
            calls = (ToolCall(own_id, "bash", {}),)
        elif not calls and following.get("role") == "user" and _text(following):
            self._refusal_at = index + 1
            refusals = (_refusal(self._place(index + 1), following, None),)
        self._unanswered = [call.call_id for call in calls]
        text, reasoning = text_and_reasoning(message)
        return _agent_step(self._place(index), message, text, reasoning, calls, refusals)

    def _following(self, index: int) -> dict[str, Any]:
        """The next message, unless it is of the person or there is none."""
        following = self._messages[index + 1] if index + 1 < len(self._messages) else None
        if not isinstance(following, dict) or not is_message(following):
            return {}
        return {} if _by_person(following) else following

    def _result(self, place: str, message: dict[str, Any], call_id: str) -> Step:
        if call_id in self._unanswered:
            self._unanswered.remove(call_id)
        text = _text(message)
        failed = _is_failure(message, text)
        if message is self._messages[-1] and message.get("role") == "user" and self._exit_status:
            # Version 1 ends with what was submitted, or with what ended the run.
            failed = self._exit_status not in _NO_FAILURE
        seen = observe(text, call_id=call_id or None, is_error=failed, source_ref=place)
        return result_step(place, (seen,), _time(message))

    def _exit(self, place: str, message: dict[str, Any]) -> Iterator[Step]:
        status = id_of(mapping_of(message, "extra"), "exit_status")
        if self._unanswered and status == "Submitted":
            call_id = self._unanswered.pop(0)
            seen = observe(_text(message), call_id=call_id, is_error=False, source_ref=place)
            yield result_step(place, (seen,), _time(message))
        elif _text(message):
            yield _plain(place, message, "api_error" if status.endswith("Error") else None)

    def _user(self, index: int, message: dict[str, Any]) -> Iterator[Step]:
        place, by_person = self._place(index), _by_person(message)
        if by_person == "UserInterruption":
            yield _plain(place, message, "interrupt")
        elif by_person == "UserRejection":
            yield _plain(place, message, "rejection")
            yield from self._rejected(place, message)
        elif text_of(mapping_of(message, "extra"), "interrupt_type") == "FormatError":
            yield _refused_answer(index, place, message)
        elif self._unanswered and not by_person:
            yield self._result(place, message, self._unanswered[0])
        elif _text(message):
            yield _plain(place, message, self._ending(message))

    def _rejected(self, place: str, message: dict[str, Any]) -> Iterator[Step]:
        for call_id in self._unanswered:
            yield result_step(f"{place}/{call_id}", (_refusal(place, message, call_id),))
        self._unanswered = []

    def _ending(self, message: dict[str, Any]) -> Event | None:
        is_last = message is self._messages[-1]
        return "api_error" if is_last and self._exit_status not in _NO_FAILURE else None


def _by_person(message: Mapping[str, Any]) -> str:
    """What the person at the terminal did; empty where the message is not theirs."""
    kind = text_of(mapping_of(message, "extra"), "interrupt_type")
    if kind or message.get("role") != "user":
        return kind if kind in _BY_PERSON.values() else ""
    text = _text(message)
    return next((kind for start, kind in _BY_PERSON.items() if text.startswith(start)), "")


def _plain(place: str, message: dict[str, Any], event: Event | None = None) -> Step:
    is_user = message.get("role") == "user" and event != "api_error"
    text = _text(message)
    return Step(place, "user" if is_user else "system", text, _time(message), event=event)


def _refused_answer(index: int, place: str, message: dict[str, Any]) -> Step:
    """An answer that version 2 logs only in the message that refuses it."""
    response = response_of(message)
    choices = objects_of(response, "choices")
    answer = mapping_of(choices[0], "message") if choices else response
    text, reasoning = text_and_reasoning(answer)
    text = text or text_of(mapping_of(message, "extra"), "model_response")
    calls = calls_of(answer, f"call-{index}")
    refusal = _refusal(place, message, calls[0].call_id if calls else None)
    return _agent_step(place, message, text, reasoning, calls, (refusal,))


def _agent_step(
    place: str,
    message: Mapping[str, Any],
    text: str,
    reasoning: str,
    calls: tuple[ToolCall, ...],
    refusals: tuple[Observation, ...],
) -> Step:
    response = response_of(message)
    return Step(
        place,
        "agent",
        text,
        _time(message),
        reasoning=reasoning,
        tool_calls=calls,
        observations=refusals,
        model=text_of(response, "model") or None,
        tokens=tokens_of(message),
        cost_usd=cost_of(message),
        api_call_id=id_of(response, "id") or None,
    )


def _refusal(place: str, message: Mapping[str, Any], call_id: str | None) -> Observation:
    return observe(_text(message), call_id=call_id, is_error=True, source_ref=place)


def _is_failure(message: Mapping[str, Any], text: str) -> bool:
    extra = mapping_of(message, "extra")
    code = extra.get("returncode")
    if isinstance(code, int):
        return code != 0
    return (
        bool(extra.get("exception_info")) or bool(_FAILED_START.match(text)) or looks_failed(text)
    )


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content_text(message.get("output") if content is None else content)


def _time(message: Mapping[str, Any]) -> datetime | None:
    response = response_of(message)
    stated = time_of(mapping_of(message, "extra"))
    return stated or time_of(response, "created") or time_of(response, "created_at")
