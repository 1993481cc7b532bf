"""The steps of one sample: its messages, and what only its events tell, in order of events.

`messages` is how the conversation stood at the end. The events also have the calls of models
that are not in it any more or never were: those of subagents, before a compaction, of another
branch. The calls of graders are no part of the agent's work and only counted.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from agent_core.session import Event, Step
from pipelines.sources.drafting import SessionDraft, result_step
from pipelines.sources.fields import content_text, id_of, mapping_of, objects_of, text_of, time_of
from pipelines.sources.formats.inspect.attachments import Attachments
from pipelines.sources.formats.inspect.events import PlacedEvent, events_of
from pipelines.sources.formats.inspect.messages import (
    agent_step,
    call_time,
    event_observation,
    is_message,
    observation,
    prompt_step,
    tokens_of,
)
from pipelines.sources.formats.inspect.samples import Sample, expand, pool_of
from pipelines.sources.reading import Quarantined

_EVENTS: Mapping[str, Event] = {"compaction": "compaction", "branch": "branch_change"}


class SampleSteps(NamedTuple):
    """What one sample holds."""

    steps: tuple[Step, ...]
    quarantined: list[Quarantined]
    graders: int
    """Calls of models that judged the sample."""


def read_steps(sample: Sample) -> SampleSteps:
    """The steps of a sample."""
    telling = _Telling(sample)
    telling.tell()
    steps = telling.draft.finish()
    graders = sum(placed.is_grader for placed in telling.events)
    return SampleSteps(_with_totals(steps, sample.value), telling.quarantined, graders)


class _Telling:
    def __init__(self, sample: Sample) -> None:
        self.draft = SessionDraft()
        self.quarantined: list[Quarantined] = []
        self.events = events_of(sample)
        self._note_odd_events(sample)
        self._sample = sample
        self._attachments = Attachments(sample.value)
        self._pool = pool_of(sample.value)
        self._told: set[str] = set()
        self._answered: set[str] = set()
        self._repeated: set[int] = set()
        """Of the events, those whose answer is among the messages."""
        self._next = 0
        """Of the events, the first that is not told."""

    def _note_odd_events(self, sample: Sample) -> None:
        events = sample.value.get("events")
        for index, event in enumerate(events if isinstance(events, list) else []):
            if not isinstance(event, dict):
                place = f"{sample.place}/events/{index}"
                self.quarantined.append(Quarantined(place, "not an event"))

    def tell(self) -> None:
        messages = list(self._messages())
        answered = {id_of(message, "tool_call_id") for _, message in messages}
        self._answered = answered - {""}
        self._told = {mark for _, message in messages for mark in _marks(message)}
        calls = self._calls_of(messages)
        self._repeated = set(calls.values())
        for place, message in messages:
            if message["role"] == "assistant":
                call = calls.get(place)
                self._tell_events(until=0 if call is None else call)
                self._add_answer(place, message, {} if call is None else self.events[call].value)
            else:
                self._add_other(place, message)
        self._tell_events(until=len(self.events))
        self._add_error()

    def _calls_of(self, messages: list[tuple[str, dict[str, Any]]]) -> dict[str, int]:
        """The event of the model call that gave the message at each place."""
        waiting: dict[str, deque[int]] = defaultdict(deque)
        for index, placed in enumerate(self.events):
            answer = answer_of(placed.value)
            if answer and not placed.is_grader and not id_of(answer, "id"):
                answer = self._attachments.put_back(answer)
            for mark in () if placed.is_grader else _marks(answer):
                waiting[mark].append(index)
        calls: dict[str, int] = {}
        for place, message in messages:
            for mark in _marks(message) if message["role"] == "assistant" else ():
                if waiting[mark]:
                    calls[place] = waiting[mark].popleft()
        return calls

    def _messages(self) -> Iterator[tuple[str, dict[str, Any]]]:
        messages = self._sample.value.get("messages")
        for index, message in enumerate(messages if isinstance(messages, list) else []):
            place = f"{self._sample.place}/messages/{index}"
            if is_message(message):
                yield place, self._attachments.put_back(message)
            else:
                self.quarantined.append(Quarantined(place, "not a message"))

    def _tell_events(self, until: int) -> None:
        """The events before `until` that no message repeats."""
        while self._next < until:
            placed = self.events[self._next]
            if not placed.is_grader and self._next not in self._repeated:
                self._tell_event(placed)
            self._next += 1

    def _tell_event(self, placed: PlacedEvent) -> None:
        kind, event = text_of(placed.value, "event"), placed.value
        ref = id_of(event, "uuid") or placed.place
        time = time_of(event)
        if kind == "model":
            self._tell_call(placed)
        elif kind == "tool":
            self._tell_result(placed)
        elif kind in _EVENTS:
            self._add(Step(ref, "system", timestamp=time, event=_EVENTS[kind]), placed.place)
        elif kind == "sample_limit":
            self._add(Step(ref, "system", text_of(event, "message"), time), placed.place)
        elif kind == "approval" and _is_refusal_of_person(event):
            words = text_of(event, "explanation")
            self._add(Step(ref, "user", words, time, event="rejection"), placed.place)

    def _tell_result(self, placed: PlacedEvent) -> None:
        event, call_id = placed.value, id_of(placed.value, "id")
        if call_id in self._answered:
            return
        self._answered |= {call_id} - {""}
        ref = id_of(event, "uuid") or placed.place
        whole = {key: self._attachments.put_back(event.get(key)) for key in ("result", "error")}
        seen = event_observation(ref, {"id": call_id, **whole})
        self._add(result_step(ref, (seen,), call_time(event)), placed.place)

    def _tell_call(self, placed: PlacedEvent) -> None:
        """A call whose answer is not among the messages, and what was new in its input."""
        for index, message in enumerate(self._input(placed.value)):
            if not is_message(message) or self._told & set(_marks(message)):
                continue
            whole = self._attachments.put_back(message)
            self._told |= {*_marks(message), *_marks(whole)}
            place = f"{placed.place}/input/{index}"
            if message["role"] == "assistant":
                self._add_answer(place, whole, {})
            elif id_of(message, "tool_call_id") not in self._answered:
                self._add_other(place, whole)
        answer = self._attachments.put_back(answer_of(placed.value))
        if answer:
            self._told |= set(_marks(answer))
            place = id_of(placed.value, "uuid") or f"{placed.place}/output"
            self._add_answer(place, answer, placed.value)
        elif error := text_of(placed.value, "error"):
            ref = id_of(placed.value, "uuid") or placed.place
            step = Step(ref, "system", error, time_of(placed.value), event="api_error")
            self._add(step, placed.place)

    def _input(self, event: Mapping[str, Any]) -> list[Any]:
        inputs = event.get("input")
        refs = event.get("input_refs")
        return inputs if isinstance(inputs, list) and inputs else expand(refs, self._pool)

    def _add_answer(self, place: str, message: dict[str, Any], event: Mapping[str, Any]) -> None:
        step = agent_step(id_of(message, "id") or place, message, event)
        error = text_of(event, "error")
        self._add(step, place)
        if error:
            self._add(Step(f"{place}/error", "system", error, event="api_error"), place)

    def _add_other(self, place: str, message: dict[str, Any]) -> None:
        ref = id_of(message, "id") or place
        if message["role"] == "tool":
            self._answered |= {id_of(message, "tool_call_id")} - {""}
            self._add(result_step(ref, (observation(ref, message),)), place)
        elif content_text(message.get("content")):
            self._add(prompt_step(ref, message), place)

    def _add(self, step: Step, place: str) -> None:
        ref = self.draft.claim(step.source_ref, place, (place, step.text))
        if ref is not None:
            self.draft.add(replace(step, source_ref=ref))

    def _add_error(self) -> None:
        """What ended the sample, where it did not end well."""
        message = text_of(mapping_of(self._sample.value, "error"), "message")
        if message:
            self._add(Step(f"{self._sample.place}/error", "system", message), "")


def _is_refusal_of_person(event: Mapping[str, Any]) -> bool:
    return event.get("decision") == "reject" and event.get("approver") == "human"


def answer_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """The message that a model call gave; empty where it gave none."""
    choices = objects_of(mapping_of(event, "output"), "choices")
    message = choices[0].get("message") if choices else None
    return message if isinstance(message, dict) and is_message(message) else {}


def _marks(message: Mapping[str, Any]) -> tuple[str, ...]:
    """By what a message is known again: its id, else what it says."""
    if not message:
        return ()
    if own := id_of(message, "id"):
        return (f"id:{own}",)
    calls = ",".join(id_of(call, "id") for call in objects_of(message, "tool_calls"))
    said = "\0".join(
        (
            text_of(message, "role"),
            content_text(message.get("content")),
            calls,
            id_of(message, "tool_call_id"),
        )
    )
    return (said,)


def _with_totals(steps: tuple[Step, ...], sample: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps; where no call tells its tokens, the agent's last step has those of the sample."""
    last = max((i for i, step in enumerate(steps) if step.source == "agent"), default=None)
    if last is None or any(step.tokens for step in steps):
        return steps
    usages = mapping_of(sample, "model_usage").values()
    counted = (tokens_of(usage) for usage in usages if isinstance(usage, dict))
    spent = [tokens for tokens in counted if tokens]
    if not spent:
        return steps
    total = replace(
        spent[0],
        input=sum(t.input for t in spent),
        cached=sum(t.cached for t in spent),
        output=sum(t.output for t in spent),
        reasoning=sum(t.reasoning for t in spent),
        cache_write=sum(t.cache_write for t in spent),
    )
    return (*steps[:last], replace(steps[last], tokens=total), *steps[last + 1 :])
