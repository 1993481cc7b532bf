"""Evidence in what happened: interrupts, rejections, failures, claims, compactions."""

from collections import Counter
from typing import NamedTuple

from judges.rules.lexicon import says
from judges.rules.view import Call, SegmentView
from judges.rules.vocabulary import Action, actions

# A failing test, check or command is what development is made of; a tool that cannot serve is not.
_WORK_CLASSES = frozenset({"test_failure", "command_failed", "rejected"})
# A wrong guess at a name is how an agent explores: it takes more of them to mean anything.
_EXPLORING_CLASSES = frozenset({"not_found", "other"})
_RUN = 3
_REPEATED = 2
_DOMINATING_SHARE = 0.25
_REREADS = 3


class ErrorRun(NamedTuple):
    """Failures of one tool with one class in a segment; `last` is the newest of them."""

    tool: str | None
    error_class: str
    times: int
    mended: bool
    """The failed attempt, or the tool with the same target, served later in the segment."""
    last: Call


def structural_evidence(view: SegmentView) -> dict[str, float]:
    """Names of evidence with strength 0 or 1 (`many_errors`: share of calls that failed)."""
    run = error_run(view)
    events = Counter(step.event for step in view.segment.steps)
    failed = [call for call in view.calls if call.failed and call.error_class not in _WORK_CLASSES]
    return {
        "interrupt": float(events["interrupt"] > 0),
        "rejection": float(events["rejection"] > 0),
        "api_error": float(events["api_error"] > 0),
        "rollback": float(events["rollback"] > 0),
        "compaction": float(view.is_after_compaction),
        "opening": float(view.segment.turn == 1),
        "error_repeated": float(run is not None and _is_repeated(run)),
        "error_run": float(run is not None and _dominates(run, view)),
        "failure_at_end": float(bool(view.calls) and _ended_in_failure(view.calls[-1])),
        "many_errors": len(failed) / len(view.calls) if view.calls else 0.0,
        "agent_claims": float(says("agent_claim", view.agent_text)),
        "agent_gives_up": float(says("agent_gives_up", view.agent_text)),
        "agent_asks": float(view.agent_text.rstrip(" \n*_`)").endswith(("?", "？"))),
        "agent_edited": float(any(_did(call, "edited files") for call in view.calls)),
        "agent_silent": float(not view.agent_text),
        **_taken(view),
        "rereads": float(view.is_after_compaction and _rereads(view) >= _REREADS),
    }


def _taken(view: SegmentView) -> dict[str, float]:
    """How the agent took the turn; a thought that reports and orders is a report."""
    thought = view.thought
    reports = says("takes_report", thought)
    return {
        "agent_concedes": float(says("reply_concedes", view.reply)),
        "taken_as_report": float(reports),
        "taken_as_question": float(says("takes_question", thought) and not reports),
        "taken_as_request": float(says("takes_request", thought) and not reports),
    }


def error_run(view: SegmentView) -> ErrorRun | None:
    """The longest run of failures of one tool and class; None without any."""
    groups: dict[tuple[str | None, str], list[int]] = {}
    for position, call in enumerate(view.calls):
        if call.failed and call.error_class not in _WORK_CLASSES:
            groups.setdefault((call.tool, call.error_class or "other"), []).append(position)
    if not groups:
        return None
    # Unmended before mended, then the longer, then the later.
    runs = [_run(key, positions, view.calls) for key, positions in groups.items()]
    return max(runs, key=lambda run: (not run.mended, run.times))


def _run(key: tuple[str | None, str], positions: list[int], calls: tuple[Call, ...]) -> ErrorRun:
    last = calls[positions[-1]]
    later = calls[positions[-1] + 1 :]
    mended = any(not c.failed and c.tool == last.tool and _same_target(c, last) for c in later)
    return ErrorRun(key[0], key[1], len(positions), mended, last)


def _same_target(call: Call, failed: Call) -> bool:
    """The same arguments, or the same first one (the file, the command) with other contents."""
    return call.arguments == failed.arguments or (
        bool(_targets(call)) and _targets(call) == _targets(failed)
    )


def _targets(call: Call) -> frozenset[str]:
    keys = ("path=", "file_path=", "command=", "cmd=", "url=", "pattern=")
    return frozenset(part for part in call.arguments.split("|") if part.startswith(keys))


def _is_repeated(run: ErrorRun) -> bool:
    """Twice, unless the same attempt served in the end; three times has cost the person anyway."""
    if run.times >= _RUN:
        return not (run.mended and run.error_class in _EXPLORING_CLASSES)
    explored = run.error_class in _EXPLORING_CLASSES
    return run.times >= _REPEATED and not run.mended and not explored


def _dominates(run: ErrorRun, view: SegmentView) -> bool:
    return run.times >= _RUN and not run.mended and run.times >= _DOMINATING_SHARE * len(view.calls)


def _ended_in_failure(call: Call) -> bool:
    return call.failed and call.error_class != "rejected"


def _did(call: Call, action: Action) -> bool:
    """By known names only: the name of any other tool is free text, which must not decide."""
    return actions([call.tool]) == [action]


def _rereads(view: SegmentView) -> int:
    """The most often that one thing was read in the segment."""
    reads = Counter(call.arguments for call in view.calls if _did(call, "read files"))
    return max(reads.values(), default=0)
