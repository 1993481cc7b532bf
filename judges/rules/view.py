"""What the rules look at in one segment: the turn's words, the calls and how they ended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from agent_core.session import Segment, Session, Step, segments
from judges.rules.prose import Turn, clean, split_turn

MAX_EARLIER_TURNS = 50
"""Earlier turns that a turn is compared with; bounds memory and time on long sessions."""
_AGENT_TEXT_CHARS = 1_500
_REPLY_CHARS = 300
_THOUGHT_CHARS = 400


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call with its outcome; `ref` is the step of the failure, else of the call."""

    tool: str | None
    ref: str
    arguments: str
    failed: bool
    error_class: str | None = None
    error_signature: str | None = None


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A segment as the rules see it; `closing` is None in the tail."""

    segment: Segment
    closing: Turn | None
    calls: tuple[Call, ...]
    agent_text: str
    """The end of what the agent said last in the segment."""
    reply: str
    """The beginning of what the agent said next, after the turn; empty where it said nothing."""
    thought: str
    """The beginning of what it thought of the turn, where the log has it."""
    earlier: tuple[Turn, ...]
    """The person's earlier turns, oldest first, at most MAX_EARLIER_TURNS."""
    is_after_compaction: bool
    """The context was compacted in this segment."""
    is_autonomous: bool


def segment_views(session: Session) -> list[SegmentView]:
    """One view a segment, in order."""
    views: list[SegmentView] = []
    earlier: list[Turn] = []
    tools: dict[str, tuple[str, str]] = {}
    cut = segments(session)
    for segment, after in zip_longest(cut, cut[1:]):
        following = () if after is None else after.steps
        view = _view(segment, following, tuple(earlier), tools, session.is_autonomous)
        views.append(view)
        if view.closing is not None:
            earlier = [*earlier, view.closing][-MAX_EARLIER_TURNS:]
    return views


def _view(
    segment: Segment,
    following: Sequence[Step],
    earlier: tuple[Turn, ...],
    tools: dict[str, tuple[str, str]],
    is_autonomous: bool,
) -> SegmentView:
    closing = segment.steps[-1] if segment.turn is not None else None
    return SegmentView(
        segment=segment,
        closing=None if closing is None else split_turn(_words_of(segment, closing)),
        calls=tuple(_calls(segment.steps, tools)),
        agent_text=_last_agent_text(segment.steps),
        reply=_first(step.text for step in _agent(following))[:_REPLY_CHARS],
        thought=_first(step.reasoning for step in _agent(following))[:_THOUGHT_CHARS],
        earlier=earlier,
        is_after_compaction=any(step.event == "compaction" for step in segment.steps),
        is_autonomous=is_autonomous,
    )


def _words_of(segment: Segment, closing: Step) -> str:
    """The turn's text; the comment of a rejection is the person's word too, though no turn."""
    comments = [step.text for step in segment.steps if step.event == "rejection" and step.text]
    return "\n".join([*comments, closing.text])


def _calls(steps: Sequence[Step], tools: dict[str, tuple[str, str]]) -> Iterator[Call]:
    """Calls in the order of their results; `tools` carries names over segments by call id."""
    refs = {step.source_ref for step in steps}
    for step in steps:
        for call in step.tool_calls:
            tools[call.call_id] = (call.name, _shape(call.arguments))
        for observation in step.observations:
            tool, arguments = tools.get(observation.call_id or "", (None, ""))
            yield Call(
                tool=tool,
                # A moment points at a step, which a result's own record may not be.
                ref=observation.source_ref if observation.source_ref in refs else step.source_ref,
                arguments=arguments,
                failed=observation.is_error,
                error_class=observation.error_class if observation.is_error else None,
                error_signature=observation.error_signature if observation.is_error else None,
            )


def _shape(arguments: Mapping[str, object]) -> str:
    """What makes two calls the same attempt: the target, without long contents."""
    return "|".join(f"{key}={str(value)[:200]}" for key, value in sorted(arguments.items()))


def _agent(steps: Sequence[Step]) -> Iterator[Step]:
    return (step for step in steps if step.source == "agent")


def _first(texts: Iterator[str]) -> str:
    """The beginning of the first text that says anything."""
    said = next((text for text in texts if text.strip()), "")
    return clean(said.strip()[: 2 * _THOUGHT_CHARS])


def _last_agent_text(steps: Sequence[Step]) -> str:
    said = (step.text for step in reversed(steps) if step.source == "agent" and step.text.strip())
    return clean(next(said, "")[-_AGENT_TEXT_CHARS:])
