"""The rules judge over the live judge's window: what it sees is enough for the same verdicts.

Apart from the words for the place in the session, which nobody knows before its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent_core.session import Step
from judges.live.window import Window
from judges.rubric import load_rubric
from judges.rules.evidence import gather
from judges.rules.moments import MomentMaker, delight_score, friction_score
from judges.rules.scoring import shipped_weights
from judges.rules.structural import error_run
from judges.rules.view import SegmentView
from judges.rules.wording import Scene, scene_place
from judges.verdict import Moment, TurnScore


@dataclass(frozen=True, slots=True)
class SegmentVerdict:
    """What the rules say of one segment; `score` is None in the tail."""

    score: TurnScore | None
    moments: tuple[Moment, ...]


class LiveRules:
    """Takes steps in order and gives the verdict of a segment once it cannot change any more.

    That is at the next turn of the person: how the agent takes a turn is evidence of it.
    """

    def __init__(self, salt: bytes, *, is_autonomous: bool = False) -> None:
        self._weights = shipped_weights()
        self._maker = MomentMaker(load_rubric(), self._weights, salt, frozenset())
        self._window = Window()
        self._is_autonomous = is_autonomous
        self._turn = 0

    def observe(self, step: Step) -> SegmentVerdict | None:
        """Take the next step; the verdict of the segment before the one that it closes."""
        if step.is_copied_context:
            return None
        verdict = self._last() if step.is_person else None
        self._turn += self._window.take(step)
        return verdict

    def finish(self) -> Sequence[SegmentVerdict]:
        """What is left when the session ends: its last turn, and what followed it."""
        tail = self._window.open_view()
        found = [self._last(), None if tail is None else self._verdict(tail)]
        return [verdict for verdict in found if verdict is not None]

    def _last(self) -> SegmentVerdict | None:
        view = self._window.last_view()
        if view is None:
            return None
        # The window knows the turn by its place in the window only.
        return self._verdict(replace(view, segment=replace(view.segment, turn=self._turn)))

    def _verdict(self, view: SegmentView) -> SegmentVerdict:
        view = replace(view, is_autonomous=self._is_autonomous)
        place = scene_place(max(0, self._turn - 1), self._turn + 1)
        scene = Scene(view, gather(view), error_run(view), place)
        return SegmentVerdict(self._score(scene), tuple(self._maker.moments(scene)))

    def _score(self, scene: Scene) -> TurnScore | None:
        segment = scene.view.segment
        if segment.turn is None or segment.turn_ref is None:
            return None
        return TurnScore(
            segment.turn_ref,
            segment.turn,
            round(friction_score(scene, self._weights), 4),
            round(delight_score(scene, self._weights), 4),
        )
