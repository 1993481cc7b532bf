"""OpenAI chat messages: a list, `{"messages": [...]}`, one or the other a line, τ-bench runs.

τ-bench's examples are the text of a conversation (`{"messages_display": "user: …"}`), in which a
message that only made calls is written as `None`.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from agent_core.session import Observation, Session, Step, ToolCall
from pipelines.sources.drafting import SessionDraft, result_step, with_facts_of_steps
from pipelines.sources.fields import (
    content_text,
    id_of,
    mapping_of,
    objects_of,
    text_of,
    time_of,
)
from pipelines.sources.json_text import decode_object
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.naming import SessionNames, digest
from pipelines.sources.reading import Evidence, Parsed, Quarantined, broken_records
from pipelines.sources.tool_errors import looks_failed, observe

_ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
# Documents of other formats that hold messages of the same form.
_FOREIGN_KEYS = frozenset(
    (
        "trajectory_format",
        "schema_version",
        "projectHash",
        "epoch",
        "scores",
        "model_usage",
        "history",
        "trajectory",
        "environment",
        "resourceSpans",
    )
)
_FOREIGN_BLOCKS = ("tool_use", "tool_result")
_SEEN_MESSAGES = 60
_LEAST_UNIQUE = 16
"""Characters of an id that no other log is taken to have."""
_DISPLAY = "messages_display"
_SPEAKER = re.compile(r"^(system|user|assistant|tool): ", re.MULTILINE)


class OpenAIChat:
    """Reads conversations of the chat-completions API; they carry no times."""

    name = "openai_chat"
    version = 3
    evidence: Evidence = "real files"
    is_general = True

    def detect(self, head: Head) -> bool:
        """Whether the document or the records are conversations with a user in them."""
        displayed = (_displayed(text_of(record, _DISPLAY)) for record in head.objects)
        if _looks_like_chats(head.document) or any(displayed):
            return True
        return bool(head.records) and (
            _is_conversation(list(head.records)) or all(map(_looks_like_chats, head.records))
        )

    def read(self, log: LogFile) -> Parsed:
        """One session for each conversation."""
        chats, quarantined = _chats(log)
        sessions = []
        names = SessionNames()
        for index, chat in enumerate(chats):
            if steps := _steps(chat):
                wanted = _session_id(chat, steps) or f"{log.path}#{index}"
                session_id = names.name(wanted, chat.about or chat.messages)
                sessions.append(_session(log, chat, steps, session_id))
            quarantined += [
                Quarantined(chat.ref(i), "not a message with a role")
                for i, message in enumerate(chat.messages)
                if not _is_message(message)
            ]
        return Parsed(tuple(sessions), tuple(quarantined))


class _Chat(NamedTuple):
    """One conversation; `pointer` leads to its list of messages."""

    messages: list[Any]
    pointer: str
    about: Mapping[str, Any]
    """The object that holds the messages; empty for a bare list."""
    places: tuple[str, ...] = ()
    """Where each message stands, when each has a line of its own."""

    def ref(self, index: int) -> str:
        """The reference of the message at `index`."""
        return self.places[index] if self.places else f"{self.pointer}/{index}"


def _looks_like_chats(value: Any) -> bool:
    return any(_is_conversation(chat.messages) for chat in _chats_in(value, "#"))


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or text_of(message, "role") not in _ROLES:
        return False
    is_complete = bool({"content", "tool_calls", "function_call"} & message.keys())
    return is_complete and isinstance(message.get("content"), str | list | None)


def _is_conversation(messages: list[Any]) -> bool:
    seen = messages[:_SEEN_MESSAGES]
    is_chat = all(map(_is_message, seen)) and any(m["role"] == "user" for m in seen)
    return is_chat and not any(map(_is_foreign, seen))


def _is_foreign(message: dict[str, Any]) -> bool:
    """Whether a message is of a kind that the API does not have."""
    blocks = objects_of(message, "content")
    is_command_output = "<returncode>" in content_text(message.get("content"))[:200]
    return is_command_output or any(b.get("type") in _FOREIGN_BLOCKS for b in blocks)


def _chats(log: LogFile) -> tuple[list[_Chat], list[Quarantined]]:
    if _looks_like_chats(log.head.document):
        return list(_chats_in(log.head.document, "#")), []
    broken = broken_records(log)
    values = [record.value for record in log.records]
    if _is_conversation(values):
        return [_Chat(values, "", {}, tuple(r.place for r in log.records))], broken
    chats: list[_Chat] = []
    for record in log.records:
        found = list(_chats_in(record.value, f"{record.place}#"))
        chats += found
        if not found:
            broken.append(Quarantined(record.place, "not a conversation"))
    return chats, broken


def _chats_in(value: Any, pointer: str) -> Iterator[_Chat]:
    """The conversations in a value: itself, its `messages` or `traj`, or those of its items."""
    if isinstance(value, dict):
        if displayed := _displayed(text_of(value, _DISPLAY)):
            yield _Chat(displayed, f"{pointer}/{_DISPLAY}", value)
            return
        for key in ("messages", "traj"):
            if isinstance(value.get(key), list) and not _is_foreign_document(value):
                yield _Chat(value[key], f"{pointer}/{key}", value)
                return
    elif isinstance(value, list) and value:
        if _is_message(value[0]):
            yield _Chat(value, pointer, {})
            return
        for index, item in enumerate(value):
            if isinstance(item, dict | list) and not _is_message(item):
                yield from _chats_in_item(item, f"{pointer}/{index}")


def _displayed(text: str) -> list[Any]:
    """The messages of a conversation that is written as text, a speaker before each."""
    before, *parts = _SPEAKER.split(text)
    if before:
        return []
    said = zip(parts[::2], parts[1::2], strict=True)
    told = ((role, content.removesuffix("\n")) for role, content in said)
    return [{"role": role, "content": None if text == "None" else text} for role, text in told]


def _chats_in_item(item: Any, pointer: str) -> Iterator[_Chat]:
    # One level only: a list of lists of lists is nobody's log.
    if isinstance(item, dict) or (item and _is_message(item[0])):
        yield from _chats_in(item, pointer)


def _is_foreign_document(value: dict[str, Any]) -> bool:
    info = mapping_of(value, "info")
    return bool(_FOREIGN_KEYS & value.keys()) or "exit_status" in info or "model_stats" in info


def _session(log: LogFile, chat: _Chat, steps: tuple[Step, ...], session_id: str) -> Session:
    reward = chat.about.get("reward")
    session = Session(
        key=f"{OpenAIChat.name}:{session_id}",
        format=OpenAIChat.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=steps,
        agent=text_of(chat.about, "agent") or "unknown",
        is_simulated_user=_is_simulated(chat.about),
        outcome=str(float(reward)) if isinstance(reward, int | float) else None,
        started_at=time_of(chat.about, "created_at") or time_of(chat.about, "created"),
    )
    return with_facts_of_steps(session)


def _is_simulated(about: Mapping[str, Any]) -> bool:
    """Whether the conversation is τ-bench's, where a model speaks for the user."""
    return ("traj" in about and "task_id" in about) or _DISPLAY in about


def _session_id(chat: _Chat, steps: tuple[Step, ...]) -> str:
    """The log's own id, else that of its task, with a hash of what was said first.

    An `id` that is a number or short counts the rows of a table: the hash tells it from another
    table's. Runs of one task start alike unless a trial tells them apart, so there the first
    answer counts too.
    """
    if stated := id_of(chat.about, "session_id", "conversation_id"):
        return stated
    own = id_of(chat.about, "id")
    task = id_of(chat.about, "task_id", "instance_id")
    if not (own or task) or (len(own) >= _LEAST_UNIQUE and not own.isdecimal()):
        return own
    trial = "" if own else id_of(chat.about, "trial")
    said = next((step.text for step in steps if step.source == "user"), "")
    if not trial:
        said = f"{said}\0{_first_answer(steps)}"
    told = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:12]
    return "-".join(filter(None, (own or task, trial, told)))


def _first_answer(steps: tuple[Step, ...]) -> str:
    answer = next((step for step in steps if step.source == "agent"), None)
    calls = answer.tool_calls if answer else ()
    return digest([answer and answer.text, [(call.name, dict(call.arguments)) for call in calls]])


def _steps(chat: _Chat) -> tuple[Step, ...]:
    draft = SessionDraft()
    model = text_of(chat.about, "model") or None
    for index, message in enumerate(chat.messages):
        if _is_message(message):
            step = _step(chat.ref(index), message)
            draft.add(replace(step, model=model) if step.source == "agent" else step)
    return draft.finish()


def _step(ref: str, message: dict[str, Any]) -> Step:
    role, text = message["role"], content_text(message.get("content"))
    time = time_of(message)
    if role in ("tool", "function"):
        return result_step(ref, (_observation(ref, message, text),), time)
    if role == "assistant":
        reasoning = text_of(message, "reasoning_content") or text_of(message, "reasoning")
        calls = tuple(_calls(ref, message))
        return Step(ref, "agent", text, time, reasoning=reasoning, tool_calls=calls)
    is_user = role == "user"
    return Step(ref, "user" if is_user else "system", text, time, is_person=is_user)


def _calls(ref: str, message: dict[str, Any]) -> Iterator[ToolCall]:
    for call in objects_of(message, "tool_calls"):
        function = mapping_of(call, "function")
        arguments = decode_object(function.get("arguments"))
        yield ToolCall(id_of(call, "id"), text_of(function, "name"), arguments)
    # Before there were tool calls, a message called one function, known by its name alone.
    if function := mapping_of(message, "function_call"):
        name = text_of(function, "name")
        yield ToolCall(name, name, decode_object(function.get("arguments")))


def _observation(ref: str, message: dict[str, Any], text: str) -> Observation:
    call_id = id_of(message, "tool_call_id", "name") or None
    return observe(text, call_id=call_id, is_error=looks_failed(text), source_ref=ref)


SOURCE = OpenAIChat()
