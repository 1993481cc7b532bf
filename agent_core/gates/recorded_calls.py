"""The replay gate: calls that failed must get better, all others must stay as they are."""

from collections.abc import Mapping

from agent_core.gates.result import EVIDENCE_PURGED, FOREIGN, NO_SANDBOX, Candidate, Finding
from agent_core.replay import HalfReport, Trees, replay
from agent_core.replay_verdict import Verdict

_WORDS: Mapping[Verdict, str] = {
    "serves": "serve",
    "fails_actionably": "fail with an actionable message",
    "fails": "still fail without one",
    "same": "stay the same",
    "differs": "give something else",
}


def check_recorded_calls(candidate: Candidate) -> Finding:
    """Replays both halves; without records the gate cannot tell."""
    calls = candidate.calls
    if not candidate.is_core:
        return Finding("unscored", f"{FOREIGN}: its calls are never replayed")
    if not calls.visible.failed and not calls.held_out.failed:
        return Finding("unscored", _nothing_to_replay(candidate))
    if candidate.sandbox is None:
        return Finding("unscored", NO_SANDBOX)
    trees = Trees(
        base=candidate.base,
        patched=candidate.tree,
        scratch=candidate.scratch,
        code_changed=bool(candidate.changed(".py")),
    )
    visible, held_out = replay(calls, trees, candidate.sandbox)
    reason = f"visible half: {describe(visible)}; held-out half: {describe(held_out)}"
    if calls.missing_sessions:
        reason += f"; records of {len(calls.missing_sessions)} sessions are gone"
    if calls.not_replayable:
        reason += f"; {calls.not_replayable} failed calls cannot be replayed"
    return Finding("passed" if visible.holds and held_out.holds else "failed", reason)


def describe(report: HalfReport) -> str:
    """One half in words: `3 failed calls: 3 serve; 5 others: 5 stay the same`."""
    parts = [f"{_total(report.failed)} failed calls{_detail(report.failed)}"]
    parts.append(f"{_total(report.unchanged)} others{_detail(report.unchanged)}")
    if report.not_reproducible:
        parts.append(f"{report.not_reproducible} not reproducible")
    return ", ".join(parts)


def _total(counts: Mapping[Verdict, int]) -> int:
    return sum(counts.values())


def _detail(counts: Mapping[Verdict, int]) -> str:
    listed = ", ".join(f"{count} {_WORDS[verdict]}" for verdict, count in counts.items())
    return f" ({listed})" if listed else ""


def _nothing_to_replay(candidate: Candidate) -> str:
    calls = candidate.calls
    if calls.missing_sessions:
        return f"{EVIDENCE_PURGED}: records of {len(calls.missing_sessions)} sessions are gone"
    if calls.not_replayable:
        return f"{calls.not_replayable} failed calls cannot be replayed: their files were not kept"
    return "no recorded call failed in the way that the task describes"
