"""From evidence and scores to moments: which types, how severe, at which step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from agent_core.signature import salted_signature
from judges.rubric import Rubric
from judges.rules.evidence import PRESENT, Evidence, present
from judges.rules.scoring import Weights
from judges.rules.vocabulary import known_class, tool_name
from judges.rules.wording import Scene, citation, descriptor
from judges.verdict import Moment, Polarity, Severity

_RESTATED = 0.5
_RESTATED_WITH_WORDS = 0.34
_SUBSTANTIVE = 0.7
"""Probability of friction from which it is taken to be more than a bump."""


@dataclass(frozen=True, slots=True)
class MomentMaker:
    """What is the same for every moment of a judge."""

    rubric: Rubric
    weights: Weights
    salt: bytes
    target_tools: frozenset[str]

    def moments(self, scene: Scene) -> Iterator[Moment]:
        """The moments of a segment, friction first."""
        yield from self._friction(scene)
        if not scene.view.is_autonomous and scene.view.closing is not None:
            yield from self._delight(scene)

    def _friction(self, scene: Scene) -> Iterator[Moment]:
        score = friction_score(scene, self.weights)
        if score >= self.weights.friction.operating_point:
            for kind in self._named("friction", _kinds(scene.evidence, _FRICTION_RULES)):
                yield self.moment("friction", kind, score, scene)
        elif (errors := self.weights.errors.score(scene.evidence)) >= (
            self.weights.errors.operating_point
        ):
            for kind in self._named("friction", ["error_event"]):
                # Nobody complained: a bump, unless the agent could not go on.
                gave_up = present(scene.evidence, "agent_gives_up")
                made = self.moment("friction", kind, errors, scene)
                yield replace(made, severity="medium" if gave_up else "low")

    def _delight(self, scene: Scene) -> Iterator[Moment]:
        score = delight_score(scene, self.weights)
        if score >= self.weights.delight.operating_point:
            for kind in self._named("delight", _kinds(scene.evidence, _DELIGHT_RULES)):
                yield self.moment("delight", kind, score, scene)

    def _named(self, polarity: Polarity, kinds: list[str]) -> list[str]:
        """Types in the rubric's order; one that the rubric lacks, or none at all, is `other`."""
        names = self.rubric.names(polarity)
        found = {kind if kind in names else "other" for kind in kinds} or {"other"}
        return [name for name in names if name in found]

    def moment(self, polarity: Polarity, kind: str, score: float, scene: Scene) -> Moment:
        """One moment of a type in a segment, worded from its evidence."""
        run = scene.run if kind in {"error_event", "other"} else None
        error_class = known_class(run.error_class) if run else None
        signature = (run.last.error_signature or "") if run else ""
        return Moment(
            polarity=polarity,
            type=kind,
            severity=_severity(polarity, kind, score, scene.evidence),
            confidence=round(score, 4),
            source_ref=_pointer(kind, scene),
            turn_ref=scene.view.segment.turn_ref,
            descriptor=descriptor(kind, scene, self.target_tools),
            citation=citation(kind, scene, self.target_tools),
            tool=tool_name(run.tool, self.target_tools) if run else None,
            error_class=error_class,
            error_signature=salted_signature(error_class, signature, self.salt)
            if error_class
            else None,
            evidence=_named_evidence(polarity, scene.evidence, self.weights),
        )


def friction_score(scene: Scene, weights: Weights) -> float:
    """Score of a segment; of an autonomous run and of the tail only what they can show counts."""
    if scene.view.is_autonomous:
        return 0.0
    if scene.view.closing is None and not present(scene.evidence, "stopped"):
        return 0.0
    return weights.friction.score(scene.evidence)


def delight_score(scene: Scene, weights: Weights) -> float:
    """Score of a turn; 0 where nobody speaks."""
    return 0.0 if scene.view.closing is None else weights.delight.score(scene.evidence)


def _kinds(
    evidence: Evidence, rules: tuple[tuple[str, Callable[[Evidence], bool]], ...]
) -> list[str]:
    return [kind for kind, applies in rules if applies(evidence)]


def _any(*names: str) -> Callable[[Evidence], bool]:
    return lambda evidence: any(present(evidence, name) for name in names)


def _is_restated(evidence: Evidence) -> bool:
    likeness = max(evidence.get("restates", 0.0), evidence.get("restates_meaning", 0.0))
    return likeness >= _RESTATED or (
        likeness >= _RESTATED_WITH_WORDS and present(evidence, "says_repetition")
    )


def _is_costly_error(evidence: Evidence) -> bool:
    """Repeated failures before a complaint, or a last failure that the person speaks of."""
    spoken = _any("says_failure", "pastes_failure", "says_repetition", "agent_gives_up")(evidence)
    return _any("error_repeated", "error_run")(evidence) or (
        spoken and present(evidence, "failure_at_end")
    )


def _is_churn(evidence: Evidence) -> bool:
    return present(evidence, "says_lost_context") and _any("compaction", "rereads")(evidence)


def _is_correction(evidence: Evidence) -> bool:
    said = _any("says_correction", "says_failure", "pastes_failure", "says_review")(evidence)
    # The agent took it so, or the turn shows the work that it speaks of.
    taken = _any("taken_as_report", "agent_concedes", "quotes_work", "shows_picture")(evidence)
    return said or taken or (present(evidence, "stopped") and not present(evidence, "bare_command"))


def _is_first_success(evidence: Evidence) -> bool:
    return present(evidence, "says_accepted_result") and present(evidence, "agent_edited")


_FRICTION_RULES: tuple[tuple[str, Callable[[Evidence], bool]], ...] = (
    ("error_event", _is_costly_error),
    ("repeated_rephrasing", _is_restated),
    ("escalation_tone", _any("says_escalation")),
    ("platform_confusion", _any("says_platform")),
    ("abandoned_tool_flow", _any("stopped")),
    ("backtracking", _any("says_undo", "rollback")),
    ("context_churn", _is_churn),
    ("correction", _is_correction),
)
_DELIGHT_RULES: tuple[tuple[str, Callable[[Evidence], bool]], ...] = (
    ("praise", _any("says_praise")),
    ("first_attempt_success", _is_first_success),
    ("time_saved", _any("says_time_saved")),
    ("rapid_approval", _any("says_approval")),
    ("learning_moment", _any("says_learning")),
)


def _severity(polarity: Polarity, kind: str, score: float, evidence: Evidence) -> Severity:
    """The rubric's degrees: a bump, substantive wrong work, work lost or patience gone."""
    if polarity == "delight":
        return "medium" if kind in {"praise", "time_saved"} else "low"
    failed_again = present(evidence, "says_repetition") and present(evidence, "says_failure")
    if present(evidence, "says_escalation") or (
        failed_again and _any("stopped", "failure_after_claim")(evidence)
    ):
        return "high"
    # What is weakly evident is a bump at most; so is a stop with nothing but a go-ahead after it.
    went_on = present(evidence, "stopped") and evidence.get("bare_command", 1.0) >= PRESENT
    costly = _any("says_undo", "error_repeated", "error_run")(evidence)
    return "low" if went_on or (score < _SUBSTANTIVE and not costly) else "medium"


def _pointer(kind: str, scene: Scene) -> str:
    """The step that shows it: the failure, the stop, else the person's turn."""
    steps = scene.view.segment.steps
    if kind == "error_event" and scene.view.calls:
        return scene.run.last.ref if scene.run else scene.view.calls[-1].ref
    if kind == "abandoned_tool_flow":
        stops = [step for step in steps if step.event in {"interrupt", "rejection"}]
        return stops[-1].source_ref if stops else steps[-1].source_ref
    return steps[-1].source_ref


def _named_evidence(polarity: Polarity, evidence: Evidence, weights: Weights) -> tuple[str, ...]:
    """Names of what spoke for the moment, the heaviest first."""
    scales = [weights.delight] if polarity == "delight" else [weights.friction, weights.errors]
    weight = {name: w for scale in scales for name, w in scale.weights.items() if w > 0}
    spoke = [name for name in weight if evidence.get(name, 0.0) >= PRESENT]
    return tuple(sorted(spoke, key=lambda name: (-weight[name], name)))
