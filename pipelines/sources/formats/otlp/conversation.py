"""The steps of one session from its spans, whose inputs repeat the history again and again."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from agent_core.session import Event, Observation, Source, Step, ToolCall
from pipelines.sources.drafting import SessionDraft, result_step
from pipelines.sources.formats.otlp.ancestry import Ancestry
from pipelines.sources.formats.otlp.calls import CallBook, Entry, Slot
from pipelines.sources.formats.otlp.contents import (
    inputs_of,
    output_of,
    tool_call_of,
    tool_result_of,
)
from pipelines.sources.formats.otlp.facts import cost_of, model_of, response_id_of, tokens_of
from pipelines.sources.formats.otlp.messages import Memo, Message, Result
from pipelines.sources.formats.otlp.prompts import Prompt, Prompts
from pipelines.sources.formats.otlp.spans import Span
from pipelines.sources.person import person_text
from pipelines.sources.tool_errors import looks_failed, observe

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_UNIQUE_ID = 16
"""Servers of local models number their answers: shorter ids occur again."""


class Exchange(NamedTuple):
    """A call of a model: what it was given and what it answered."""

    span: Span
    inputs: Sequence[Message]
    output: Message
    copy_id: str | None
    """Equal for the spans that tell of one answer: the provider's id, with the model's words."""


def steps_of(
    spans: Sequence[Span], ancestry: Ancestry, session_id: str, *, is_elsewhere_too: bool
) -> tuple[Step, ...]:
    """The steps of the session that the spans belong to.

    Where other files may hold spans of it too, the answers that stand in an input alone are
    context that was copied from there.
    """
    conversation = _Conversation(ancestry, session_id, is_elsewhere_too)
    in_time = sorted(spans, key=lambda span: span.start)
    memo = Memo()
    for span in in_time:
        if ancestry.kind(span) != "tool":
            conversation.add_exchange(_exchange(span, memo))
    for span in in_time:
        if ancestry.kind(span) == "tool":
            conversation.add_tool(span)
    conversation.add_told_results()
    return conversation.finish()


def _exchange(span: Span, memo: Memo) -> Exchange:
    output = output_of(span) or Message("assistant")
    response_id = response_id_of(span)
    is_unique = len(response_id) >= _LEAST_UNIQUE_ID
    copy_id = _digest(f"{response_id} {output.text}") if is_unique else None
    return Exchange(span, inputs_of(span, memo), output, copy_id)


class _ToldResult(NamedTuple):
    """A result that a model was given: the tool may have a span of its own, or none."""

    span: Span
    place: int
    """The index of its message in the input."""
    result: Result
    number: int
    """How many results of the same call came before it in this input."""
    is_new: bool
    """It stands behind the last answer: this is the first input that tells of it."""


@dataclass
class _Conversation:
    ancestry: Ancestry
    session_id: str
    is_elsewhere_too: bool
    entries: list[Entry] = field(default_factory=list)
    calls: CallBook = field(default_factory=CallBook)
    copied: CallBook = field(default_factory=CallBook)
    """The calls of answers that only an input tells of, where their spans may be elsewhere."""
    unseen: set[str] = field(default_factory=set)
    """Ids of calls that later inputs tell of and no span."""
    told: list[_ToldResult] = field(default_factory=list)
    noted: set[tuple[str, str, int]] = field(default_factory=set)
    bare: set[str] = field(default_factory=set)
    """The ids of calls that are in other files and whose results are here."""
    prompts: Prompts = field(init=False)
    has_begun: bool = False

    def __post_init__(self) -> None:
        self.prompts = Prompts(self.ancestry)

    def add_exchange(self, exchange: Exchange) -> None:
        """What is new in the input of a model's call, and its answer."""
        span, inputs = exchange.span, exchange.inputs
        new = self.prompts.new_in(span, inputs)
        last_answer = max((i for i, m in enumerate(inputs) if m.role == "assistant"), default=-1)
        numbers: Counter[str] = Counter()
        for index, message in enumerate(inputs):
            if message.role == "system" and not self.has_begun and message.text:
                ref = self._name("system", span, index, message.text)
                own = _content_id(exchange, f"system {message.text}")
                step = Step(ref, "system", message.text, _time(span.start), content_id=own)
                self.entries.append(Entry(span.start, step))
            elif index in new:
                self._add_prompt(exchange, index, new[index])
            elif message.role == "assistant":
                self._add_history(exchange, index, message)
            for result in message.results:
                key = result.call_id or result.name
                self._note(_ToldResult(span, index, result, numbers[key], index > last_answer))
                numbers[key] += 1
        self.has_begun = True
        self._add_answer(exchange)

    def _note(self, told: _ToldResult) -> None:
        """Keep a result for later, but not again what earlier inputs told of."""
        result = told.result
        key = (result.call_id, result.name, told.number)
        # Without ids, the first result of an input may be another one than it was before.
        if key not in self.noted or (told.is_new and not result.call_id):
            self.noted.add(key)
            self.told.append(told)

    def _name(self, role: str, span: Span, index: int, text: str, occurrence: int = 1) -> str:
        """The reference of a message: the same in every file that holds it of this session.

        A text has no id and stands in the input of many spans, which may lie in many files.
        """
        if not self.is_elsewhere_too:
            return f"{span.ref}/input/{index}"
        repeats = f".{occurrence}" if occurrence > 1 else ""
        return f"{role}:{_digest(f'{self.session_id} {text.strip()}')}{repeats}"

    def _add_prompt(self, exchange: Exchange, index: int, prompt: Prompt) -> None:
        span = exchange.span
        words = person_text(prompt.text)
        step = Step(
            self._name("user", span, index, prompt.text, prompt.occurrence),
            "user",
            words or prompt.text,
            _time(span.start),
            is_person=bool(words) and not prompt.is_delegated,
            content_id=_content_id(exchange, f"{prompt.occurrence} {prompt.text.strip()}"),
        )
        self.entries.append(Entry(span.start, step))

    def _add_history(self, exchange: Exchange, index: int, message: Message) -> None:
        """An answer that an input tells of: it has a span of its own but for the first input's."""
        if self.has_begun:
            self.unseen |= {c.call_id for c in message.calls if not self.calls.knows(c.call_id)}
            return
        span = exchange.span
        made = " ".join(call.call_id for call in message.calls)
        step = Step(
            f"{span.ref}/input/{index}",
            "agent",
            message.text,
            _time(span.start),
            reasoning=message.reasoning,
            content_id=_content_id(exchange, f"history {made} {message.text}"),
            is_copied_context=self.is_elsewhere_too,
        )
        self._add_with_calls(span, span.start, step, message.calls)

    def _add_answer(self, exchange: Exchange) -> None:
        span, output = exchange.span, exchange.output
        is_empty = not (output.text or output.reasoning or output.calls)
        if span.is_of_logs and is_empty:
            return
        is_chat = self.ancestry.kind(span) == "chat"
        event = _event(span)
        source: Source = "agent"
        if event and is_empty:
            source = "user" if event == "interrupt" else "system"
        step = Step(
            # A wrapper's copy of an answer must give way where the answer's own span is known:
            # of places only those in a session's best file count.
            span.ref if is_chat else span.place,
            source,
            output.text or span.error,
            _time(span.end or span.start),
            event=event,
            reasoning=output.reasoning,
            model=model_of(span) or None,
            tokens=tokens_of(span),
            cost_usd=cost_of(span),
            api_call_id=exchange.copy_id,
            content_id=_content_id(exchange, ""),
        )
        time = span.start if is_chat else span.end or span.start
        self._add_with_calls(span, time, step, output.calls)

    def _add_with_calls(
        self, span: Span, time: int, step: Step, calls: Sequence[ToolCall]
    ) -> Entry:
        named = [
            call if call.call_id else replace(call, call_id=f"{step.source_ref}/calls/{index}")
            for index, call in enumerate(calls)
        ]
        entry = Entry(time, replace(step, tool_calls=tuple(named)))
        self.entries.append(entry)
        book = self.copied if step.is_copied_context else self.calls
        for call, known in zip(calls, named, strict=True):
            book.add(Slot(entry, known, span.trace_id, span.start), call.call_id)
        return entry

    def add_tool(self, span: Span) -> None:
        """The result of a call; the call too, where no answer of a model tells of it."""
        call, text = tool_call_of(span), tool_result_of(span)
        failed = span.has_failed or looks_failed(text)
        seen = observe(text, call_id=call.call_id, is_error=failed, source_ref=span.ref)
        if slot := self.calls.carried_out(call, span.trace_id, span.start):
            slot.answer(replace(seen, call_id=slot.call.call_id))
        elif call.call_id and self.calls.knows(call.call_id):
            return  # a second span of a call that has its result
        elif self._was_made_elsewhere(span, call):
            self.bare.add(call.call_id)
            known = replace(seen, call_id=call.call_id or None)
            time = _time(span.end or span.start)
            step = result_step(span.ref, (), time, content_id=_own_id(span))
            self.entries.append(Entry(span.start, step, [known]))
        else:
            time = _time(span.end or span.start)
            step = Step(span.ref, "agent", timestamp=time, content_id=_own_id(span))
            entry = self._add_with_calls(span, span.start, step, (call,))
            entry.observations.append(replace(seen, call_id=entry.step.tool_calls[0].call_id))

    def _was_made_elsewhere(self, span: Span, call: ToolCall) -> bool:
        is_told = self.copied.knows(call.call_id) or call.call_id in self.unseen
        return (bool(call.call_id) and is_told) or not self.ancestry.has_parent(span)

    def add_told_results(self) -> None:
        """The results that no span of a tool tells of, each from the first input that has it."""
        for span, place, result, number, is_new in self.told:
            ref = f"{span.ref}/input/{place}"
            slot = self.calls.nth(result.call_id, result.name, number)
            if is_new and not result.call_id and slot and slot.is_answered:
                slot = self.calls.next_open(result.name, span.trace_id, span.start) or slot
            if slot is None and not is_new:
                slot = self.copied.nth(result.call_id, result.name, number)
            if slot and not slot.is_answered:
                slot.answer(_observation(result, slot.call.call_id, ref))
            elif slot is None and is_new and result.call_id not in self.bare - {""}:
                self.bare.add(result.call_id)
                # Where the call is, the span of its tool may be too: there it is counted.
                bare = result_step(ref, (), _time(span.start))
                step = replace(bare, is_copied_context=self.is_elsewhere_too)
                seen = _observation(result, result.call_id or None, ref)
                self.entries.append(Entry(span.start, step, [seen]))

    def finish(self) -> tuple[Step, ...]:
        """The steps in the order of time, each under a reference of its own."""
        draft = SessionDraft()
        steps: list[Step] = []
        for number, entry in enumerate(sorted(self.entries, key=lambda entry: entry.time)):
            own = entry.step.source_ref
            ref = draft.claim(own, f"{own}#{number}", number) or own
            results = tuple(entry.observations)
            steps.append(replace(entry.step, source_ref=ref, observations=results))
        return tuple(steps)


def _event(span: Span) -> Event | None:
    if not span.has_failed:
        return None
    return "interrupt" if "KeyboardInterrupt" in span.error else "api_error"


def _observation(result: Result, call_id: str | None, ref: str) -> Observation:
    failed = looks_failed(result.text) if result.is_error is None else result.is_error
    return observe(result.text, call_id=call_id, is_error=failed, source_ref=ref)


def _content_id(exchange: Exchange, part: str) -> str | None:
    """Of an answer, or of a part of what it answers: equal in every copy of the span."""
    whole = exchange.copy_id or _own_id(exchange.span)
    return _digest(f"{whole} {part}") if whole else None


def _own_id(span: Span) -> str | None:
    both = span.trace_id and span.span_id
    return _digest(f"{span.trace_id} {span.span_id}") if both else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]


def _time(nanoseconds: int) -> datetime | None:
    """The time in UTC; None where there is none that a calendar has."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000) if nanoseconds else None
    except OverflowError:
        return None
