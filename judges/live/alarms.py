"""When friction is building: the conditions, on evidence of the rules and notes of past turns.

None of the numbers was fitted to labels: they are those of the rubric's wording ("the third
time", "the same failure again").
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from judges.live.memory import TurnNote, times_stated
from judges.rules.evidence import Evidence, gather, present
from judges.rules.structural import ErrorRun, error_run
from judges.rules.view import Call, SegmentView
from judges.rules.vocabulary import actions

AlarmKind = Literal[
    "error_run",
    "repeated_call",
    "lost_context",
    "interrupt_after_claim",
    "repeated_stops",
    "claim_over_failure",
    "unverified_fix",
    "third_restatement",
    "repeated_failure",
    "escalation",
    "friction_building",
]
ALARM_KINDS: tuple[AlarmKind, ...] = get_args(AlarmKind)

RUN = 3
"""Failures of one kind, or failures of one call, that make an alarm."""
STATED = 3
"""So often the person has to state a wish."""
RECENT_TURNS = 4
"""Turns before the one at hand in which the same trouble counts as the same."""
_STOPS = frozenset({"interrupt", "rejection"})
_BUILDING = 2
_BUILDING_TURNS = 3


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that goes wrong now; holds no text of the session."""

    kind: AlarmKind
    turn: int
    """The person's turns so far, that which raised it included."""
    source_ref: str
    """The step that raised it."""
    at: datetime | None
    """When that step was, by the log."""
    times: int
    says: str
    """What is seen, in closed words."""
    advice: str
    """What the agent should do differently, in closed words."""


class Sign(NamedTuple):
    """What makes an alarm; `times` grows with the trouble."""

    kind: AlarmKind
    times: int
    run: ErrorRun | None = None


def signs_in_segment(view: SegmentView, notes: Sequence[TurnNote]) -> Iterator[Sign]:
    """What shows while the agent works, before the person speaks."""
    run = error_run(view)
    repeated = _most_repeated(view.calls)
    if repeated is not None and repeated.times >= RUN:  # says more than that the tool fails
        yield Sign("repeated_call", repeated.times, repeated)
    elif run is not None and not run.mended and run.times >= RUN:
        yield Sign("error_run", run.times, run)
    if view.is_after_compaction or any(step.event in _STOPS for step in view.segment.steps):
        # Only then: the words of evidence take a hook longer to load than all the rest.
        found = gather(view)
        if present(found, "rereads"):
            yield Sign("lost_context", 1)
        if present(found, "stopped"):
            yield from _signs_of_stop(found, notes)


def signs_at_rest(view: SegmentView, notes: Sequence[TurnNote]) -> Iterator[Sign]:
    """What shows when the agent has said its last word and waits for the person."""
    found = gather(view)
    if not present(found, "agent_claims"):
        return
    if present(found, "failure_at_end"):
        yield Sign("claim_over_failure", 1, error_run(view))
    reported = notes and notes[-1].is_friction and notes[-1].has("says_failure", "pastes_failure")
    if reported and present(found, "agent_edited") and not _ran_after_edit(view.calls):
        yield Sign("unverified_fix", 1)


def signs_at_turn(notes: Sequence[TurnNote]) -> Iterator[Sign]:
    """What the last of the turns shows."""
    note, earlier = notes[-1], notes[:-1]
    recent = earlier[-RECENT_TURNS:]
    if (stated := times_stated(note, earlier)) >= STATED:
        yield Sign("third_restatement", stated)
    if note.has("failure_after_claim") and note.is_friction:
        failures = 1 + sum(one.has("failure_after_claim") and one.is_friction for one in recent)
        if failures > 1:
            yield Sign("repeated_failure", failures)
    if note.has("says_escalation") and note.is_friction:
        yield Sign("escalation", 1)
    felt = sum(one.is_friction for one in notes[-_BUILDING_TURNS:])
    if note.is_friction and felt >= _BUILDING:
        yield Sign("friction_building", felt)


def _signs_of_stop(found: Evidence, notes: Sequence[TurnNote]) -> Iterator[Sign]:
    claimed_before = bool(notes) and notes[-1].has("agent_claims")
    if present(found, "agent_claims") or claimed_before:
        yield Sign("interrupt_after_claim", 1)
    stops = 1 + sum(one.has("stopped") for one in notes[-RECENT_TURNS:])
    if stops > 1:
        yield Sign("repeated_stops", stops)


def _most_repeated(calls: Sequence[Call]) -> ErrorRun | None:
    """The call that failed most often in one way since something was last changed."""
    fresh = calls[_after_last_edit(calls) :]
    failed = [call for call in fresh if call.failed and call.error_class != "rejected"]
    if not failed:
        return None
    same = Counter(_attempt(call) for call in failed)
    attempt, times = max(same.items(), key=lambda item: item[1])
    last = next(call for call in reversed(failed) if _attempt(call) == attempt)
    return ErrorRun(last.tool, last.error_class or "other", times, False, last)


def _attempt(call: Call) -> tuple[str | None, str, str | None]:
    return call.tool, call.arguments, call.error_signature


def _after_last_edit(calls: Sequence[Call]) -> int:
    """Trying again after a change is work, not a loop."""
    edits = [i for i, call in enumerate(calls) if not call.failed and _is(call, "edited files")]
    return edits[-1] + 1 if edits else 0


def _ran_after_edit(calls: Sequence[Call]) -> bool:
    return any(_is(call, "ran commands") for call in calls[_after_last_edit(calls) :])


def _is(call: Call, action: str) -> bool:
    return actions([call.tool]) == [action]
