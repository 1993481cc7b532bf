"""All the evidence of one segment, by name, with strengths in [0, 1]."""

from collections.abc import Mapping

from judges.rules.restatement import Embed, restatement, restatement_of_meaning
from judges.rules.structural import structural_evidence
from judges.rules.textual import textual_evidence
from judges.rules.view import SegmentView

Evidence = Mapping[str, float]

PRESENT = 0.4
"""Strength from which a piece of evidence is named as present."""


def gather(view: SegmentView, embed: Embed | None = None) -> Evidence:
    """Evidence of the segment; words are missing in the tail, where nobody speaks."""
    found = structural_evidence(view) | textual_evidence(view)
    if view.closing is not None:
        found["restates"] = restatement(view.closing, view.earlier)
        if embed is not None:
            meaning = restatement_of_meaning(view.closing, view.earlier, embed)
            found |= {} if meaning is None else {"restates_meaning": meaning}
    return found | _combined(found) | _terse(found)


def present(evidence: Evidence, name: str) -> bool:
    """Whether a piece of evidence is there at all."""
    return evidence.get(name, 0.0) >= PRESENT


def _combined(found: Evidence) -> dict[str, float]:
    """Evidence that only several pieces together make."""

    def of(*names: str) -> float:
        return max(found.get(name, 0.0) for name in names)

    # A plan that is accepted in a fresh context stops the old one as a matter of form.
    stopped = of("interrupt", "rejection") * (1 - of("handover"))
    return {
        "stopped": stopped,
        "denies": of("says_denial") * (1 - of("agent_asks")),
        "failure_after_claim": of("agent_claims", "agent_edited")
        * of("says_failure", "pastes_failure"),
    }


def _terse(found: Evidence) -> dict[str, float]:
    """A few words are a mere command unless they object to something."""
    if "bare_command" not in found:
        return {}
    objections = ("says_undo", "says_objects", "says_malfunction", "says_escalation")
    objects = max(found.get(name, 0.0) for name in objections)
    return {"bare_command": found["bare_command"] * (1 - objects)}
