"""ATIF's steps, translated, and an event for each call that the person refused."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from agent_core.session import Event, Observation, Source, Step, ToolCall
from agent_core.signature import ERROR_CLASSES
from pipelines.sources.drafting import SessionDraft
from pipelines.sources.fields import content_text, id_of, mapping_of, objects_of, text_of, time_of
from pipelines.sources.formats.atif.spending import cost_of, tokens_of, with_totals
from pipelines.sources.json_text import decode_object
from pipelines.sources.person import is_interrupt, person_text
from pipelines.sources.reading import Quarantined
from pipelines.sources.tool_errors import is_rejection, looks_failed, observe, rejection_comment

_EVENTS = frozenset(get_args(Event))
_SOURCES: tuple[Source, ...] = get_args(Source)


def steps_of(
    trajectory: Mapping[str, Any], at: str, *, is_subagent: bool
) -> tuple[tuple[Step, ...], list[Quarantined]]:
    """The steps of the trajectory at the pointer `at`, and the records that are none."""
    draft = SessionDraft()
    odd: list[Quarantined] = []
    agent = mapping_of(trajectory, "agent")
    run_id = id_of(trajectory, "session_id", "trajectory_id") or at
    records = trajectory.get("steps")
    if not isinstance(records, list):
        return (), [Quarantined(at, "a trajectory without steps")]
    for index, record in enumerate(records):
        ref = f"{at}/steps/{index}"
        if not isinstance(record, dict):
            odd.append(Quarantined(ref, "a step that is no object"))
            continue
        step = _step(ref, record, text_of(agent, "model_name") or None, is_subagent=is_subagent)
        if step.api_call_id:
            # Harbor numbers the calls of each run anew.
            step = replace(step, api_call_id=f"{run_id} {step.api_call_id}")
        draft.add(step)
        for refusal in _refusals(step):
            draft.add(refusal)
    draft.steps[:] = _with_totals(draft.steps, trajectory)
    return draft.finish(), odd


def _with_totals(steps: list[Step], trajectory: Mapping[str, Any]) -> list[Step]:
    # The totals of a document count what its subagents spent.
    if objects_of(trajectory, "subagent_trajectories"):
        return steps
    return with_totals(steps, mapping_of(trajectory, "final_metrics"))


def _step(ref: str, record: dict[str, Any], model: str | None, *, is_subagent: bool) -> Step:
    extra, metrics = mapping_of(record, "extra"), mapping_of(record, "metrics")
    source: Source = next((s for s in _SOURCES if s == record.get("source")), "system")
    text = content_text(record.get("message"))
    event = _event(extra, source, text)
    words = person_text(text) if source == "user" else ""
    is_copy = record.get("is_copied_context") is True
    nobody = is_copy or is_subagent or extra.get("is_sidechain") is True or "event" in extra
    return Step(
        ref,
        source,
        words or text,
        timestamp=time_of(record),
        is_person=bool(words) and not nobody,
        event=event,
        reasoning=text_of(record, "reasoning_content"),
        tool_calls=tuple(_call(call) for call in objects_of(record, "tool_calls")),
        observations=tuple(_observations(ref, record)),
        model=text_of(record, "model_name") or (model if source == "agent" else None),
        tokens=tokens_of(metrics),
        cost_usd=cost_of(metrics),
        api_call_id=id_of(extra, "api_call_id") or None,
        is_copied_context=is_copy,
    )


def _event(extra: Mapping[str, Any], source: str, text: str) -> Event | None:
    stated = next((event for event in _EVENTS if event == extra.get("event")), None)
    return stated or ("interrupt" if source == "user" and is_interrupt(text) else None)


def _call(call: dict[str, Any]) -> ToolCall:
    arguments = decode_object(call.get("arguments"))
    return ToolCall(id_of(call, "tool_call_id"), text_of(call, "function_name"), arguments)


def _observations(ref: str, record: dict[str, Any]) -> Iterator[Observation]:
    for index, result in enumerate(objects_of(record.get("observation"), "results")):
        extra = mapping_of(result, "extra")
        content = content_text(result.get("content"))
        place = f"{ref}/observation/results/{index}"
        call_id = id_of(result, "source_call_id") or None
        flags = (extra.get("is_error"), extra.get("tool_result_is_error"))
        stated = next((flag for flag in flags if isinstance(flag, bool)), None)
        failed = looks_failed(content) if stated is None else stated
        seen = observe(content, call_id=call_id, is_error=failed, source_ref=place)
        yield _as_stated(seen, extra) if failed else seen


def _as_stated(seen: Observation, extra: Mapping[str, Any]) -> Observation:
    """The observation with the class and signature that the log itself gives."""
    error_class, signature = text_of(extra, "error_class"), text_of(extra, "error_signature")
    return Observation(
        seen.call_id,
        seen.content,
        True,
        error_class if error_class in ERROR_CLASSES else seen.error_class,
        signature or seen.error_signature,
        seen.source_ref,
    )


def _refusals(step: Step) -> Iterator[Step]:
    """An event for each call that the person refused, at the result that tells of it."""
    for seen in step.observations:
        if seen.is_error and is_rejection(seen.content):
            comment = rejection_comment(seen.content)
            yield Step(
                seen.source_ref or step.source_ref,
                "user",
                comment,
                timestamp=step.timestamp,
                event="rejection",
                is_copied_context=step.is_copied_context,
            )
