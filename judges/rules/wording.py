"""Descriptors, citations and summaries: templates filled from the closed vocabulary only."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from agent_core.session import Session
from judges.rules.evidence import Evidence, present
from judges.rules.structural import ErrorRun
from judges.rules.view import SegmentView
from judges.rules.vocabulary import actions, failure_words, known_class, place, tool_name
from judges.verdict import Moment

# What the person did, by evidence; the first that is present speaks first.
_PERSON_DID: tuple[tuple[str, str], ...] = (
    ("interrupt", "stopped the run"),
    ("rejection", "declined a tool call"),
    ("says_undo", "asked for the former state"),
    ("says_escalation", "used strong words"),
    ("says_lost_context", "explained known matters again"),
    ("failure_after_claim", "reported that the delivered work fails"),
    ("says_failure", "reported a failure"),
    ("pastes_failure", "pasted failing output"),
    ("says_review", "passed on review findings"),
    ("says_platform", "asked about the agent's own features"),
    ("says_correction", "said that it is not what was wanted"),
    ("restates", "stated an earlier wish once more"),
    ("restates_meaning", "stated an earlier wish once more"),
    ("says_repetition", "said that it happens again"),
    ("says_time_saved", "remarked on effort spared"),
    ("says_learning", "valued the explanation"),
    ("says_accepted_result", "accepted the result"),
    ("says_praise", "was pleased"),
    ("says_approval", "gave a positive word to go on"),
)
_PLEASED = frozenset(
    {"says_time_saved", "says_learning", "says_accepted_result", "says_praise", "says_approval"}
)
# What leads for a type, where it is not the first of the list above.
_LEADS: dict[str, tuple[str, ...]] = {
    "repeated_rephrasing": ("restates", "restates_meaning", "says_repetition"),
    "correction": ("failure_after_claim", "says_failure", "pastes_failure", "says_correction"),
    "backtracking": ("says_undo",),
    "escalation_tone": ("says_escalation",),
    "platform_confusion": ("says_platform",),
    "context_churn": ("says_lost_context",),
    "praise": ("says_praise",),
    "rapid_approval": ("says_approval",),
    "first_attempt_success": ("says_accepted_result",),
    "time_saved": ("says_time_saved",),
    "learning_moment": ("says_learning",),
}
# What a type says of the person where no evidence of it was recognised (a model saw more).
_BY_TYPE: dict[str, str] = {
    "error_event": "was held up",
    "repeated_rephrasing": "stated an earlier wish once more",
    "escalation_tone": "used strong words",
    "platform_confusion": "asked about the agent's own features",
    "abandoned_tool_flow": "stopped the run",
    "backtracking": "asked for the former state",
    "context_churn": "explained known matters again",
    "correction": "redirected the agent",
    "praise": "was pleased",
    "first_attempt_success": "accepted the result",
    "time_saved": "remarked on effort spared",
    "rapid_approval": "gave a positive word to go on",
    "learning_moment": "valued the explanation",
}
_PERSON = "the person "
_AGAIN = ("twice", "several times")
_MAX_PHRASES = 2
_SHORT, _LONG = 3, 12


class Scene(NamedTuple):
    """A segment with what was found in it and where it stands."""

    view: SegmentView
    evidence: Evidence
    run: ErrorRun | None
    place: str


def scene_place(position: int, count: int) -> str:
    """Words for the place of segment `position` (0-based) of `count`."""
    return place(position, count)


def descriptor(kind: str, scene: Scene, tools: frozenset[str]) -> str:
    """What the agent did, what failed, what the person did, and where; never the type's name."""
    parts = [f"after the agent {_agent_did(scene)}", *_failure(scene, tools)]
    person = _person_did(kind, scene)
    if person:
        parts.append(f"{_PERSON}{' and '.join(person)}")
    return f"{', '.join(parts)}, {scene.place}"


def tells_what_hurt(text: str) -> bool:
    """Whether a descriptor says what the person did, or that something failed again.

    A single failure is what ordinary work has: with nothing else it says where, not what.
    """
    return f", {_PERSON}" in text or any(f" {times}," in text for times in _AGAIN)


def citation(kind: str, scene: Scene, tools: frozenset[str]) -> str:
    """One abstract sentence for people."""
    person = _person_did(kind, scene)
    failure = _failure(scene, tools)
    if not person:
        return _sentence(
            f"the agent {_agent_did(scene)}, {failure[0]}"
            if failure
            else f"the agent {_agent_did(scene)}, and the work did not come to an end"
        )
    tail = f", {failure[0]}" if failure else ""
    return _sentence(f"the person {' and '.join(person)} after the agent {_agent_did(scene)}{tail}")


def summary(
    session: Session, views: Sequence[SegmentView], moments: Sequence[Moment], outcome: str
) -> str:
    """What happened in the session in abstract words: what it is clustered by."""
    calls = [call for view in views for call in view.calls]
    turns = sum(view.closing is not None for view in views)
    done = _joined(actions(call.tool for call in calls)) if calls else "answered"
    size = "short" if turns <= _SHORT else "long" if turns > _LONG else "medium"
    kind = "an autonomous run" if session.is_autonomous else f"a {size} session"
    return (
        f"{_sentence(f'{kind} in which the agent {done}')} {_failures(calls)} "
        f"{_felt(moments)} The outcome is {outcome}."
    )


def _agent_did(scene: Scene) -> str:
    calls = scene.view.calls
    done = _joined(actions(call.tool for call in calls)[:_MAX_PHRASES]) if calls else "answered"
    if present(scene.evidence, "agent_gives_up"):
        return f"{done} and gave up"
    if present(scene.evidence, "agent_claims"):
        return f"{done} and said that it was done"
    return f"{done} and asked back" if present(scene.evidence, "agent_asks") else done


def _failure(scene: Scene, tools: frozenset[str]) -> list[str]:
    run = scene.run
    if run is None:
        return []
    tool = tool_name(run.tool, tools)
    who = "an external tool" if tool == "external" else "a tool" if tool is None else tool
    times = "once" if run.times == 1 else _AGAIN[run.times > 2]
    return [f"while {who} {failure_words(known_class(run.error_class) or 'other')} {times}"]


def _person_did(kind: str, scene: Scene) -> list[str]:
    """Up to two phrases, the type's own first; nothing in the tail but a stop."""
    leads = _LEADS.get(kind, ())
    ordered = sorted(_PERSON_DID, key=lambda pair: pair[0] not in leads)  # stable: the list's order
    found = [(name, words) for name, words in ordered if present(scene.evidence, name)]
    # A moment speaks of its own side; `other` leads with nothing and may speak of both.
    pleased = kind in _LEADS and set(leads) <= _PLEASED
    one_sided = kind in _BY_TYPE
    said = [words for name, words in found if not one_sided or (name in _PLEASED) == pleased]
    led = any(present(scene.evidence, name) for name in leads)
    if scene.view.closing is not None and kind in _BY_TYPE and not (led or (said and not leads)):
        said = [_BY_TYPE[kind], *said]
    return list(dict.fromkeys(said))[:_MAX_PHRASES]


def _failures(calls: Sequence[object]) -> str:
    failed = Counter(getattr(call, "error_class", None) for call in calls)
    for name in (None, "rejected"):  # a declined call is the person's doing
        failed.pop(name, None)
    if not failed:
        return "No tool failed."
    classes = sorted({known_class(name) or "other" for name, _ in failed.most_common(2)})
    return f"A tool {_joined([failure_words(name) for name in classes])}."


def _felt(moments: Sequence[Moment]) -> str:
    friction = sum(moment.polarity == "friction" for moment in moments)
    delight = len(moments) - friction
    if not moments:
        return "The person met no friction."
    parts = [("friction", friction), ("delight", delight)]
    return _sentence(
        "there was " + _joined([f"{_amount(count)} {name}" for name, count in parts if count])
    )


def _amount(count: int) -> str:
    return "some" if count <= 2 else "much"


def _joined(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
