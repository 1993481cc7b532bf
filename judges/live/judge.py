"""The live judge: one step in, what goes wrong now out.

It reads the same evidence as the rules judge, over the segment at hand and the person's last 50
turns; words alone decide on restatements. A kind of trouble is told once in a segment, and again
only when it has doubled.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from agent_core.session import Step
from judges.live.advice import advice, seen
from judges.live.alarms import (
    Alarm,
    AlarmKind,
    Sign,
    signs_at_rest,
    signs_at_turn,
    signs_in_segment,
)
from judges.live.memory import MAX_NOTES, TurnNote, note_of
from judges.live.window import Window
from judges.rules.evidence import gather
from judges.rules.scoring import shipped_weights

_REPLY_STEPS = 4
"""Steps after a turn within which the agent's answer to it may change what the turn was."""
_QUIET_TURNS = 3
_OF_TURNS = frozenset({"third_restatement", "repeated_failure", "escalation", "friction_building"})


class LiveJudge:
    """Takes the steps of one session in order and gives alarms.

    `salt` hides the words of past turns; `notes`, `turn` and `raised` are what an earlier judge of
    the session knew; `begins` is false where the session's first turns were not seen.
    """

    def __init__(
        self,
        salt: bytes,
        *,
        begins: bool = True,
        notes: Sequence[TurnNote] = (),
        turn: int = 0,
        raised: Mapping[AlarmKind, tuple[int, int]] | None = None,
    ) -> None:
        self._salt = salt
        self._window = Window(begins=begins)
        self.notes: list[TurnNote] = list(notes)[-MAX_NOTES:]
        self.turn = turn
        """Turns of the person so far."""
        self.raised: dict[AlarmKind, tuple[int, int]] = dict(raised or {})
        """Of each kind that was told: at which turn, and how often it had happened."""

    def recall(self, steps: Iterable[Step]) -> None:
        """Take steps that were judged before: they are the past of what comes, and tell nothing."""
        for step in steps:
            if not step.is_copied_context:
                self._window.take(step)

    def observe(self, step: Step) -> tuple[Alarm, ...]:
        """Take the next step."""
        if step.is_copied_context:
            return ()
        if self._window.take(step):
            return self._told(self._signs_of_turn(), step)
        return self._told(self._signs_of_step(step), step)

    def revise(self, step: Step) -> tuple[Alarm, ...]:
        """Take a step of the segment at hand again, which has its results by now."""
        if not self._window.revise(step):
            return ()
        return self._told(self._signs_of_step(step), step)

    def look(self, step: Step) -> tuple[Alarm, ...]:
        """What is wrong now, after steps that were recalled; `step` is the newest of them.

        How the agent takes the last turn is not looked at again: it would cost a hook too much.
        """
        return self._told(self._signs_of_segment(), step)

    def rest(self, step: Step) -> tuple[Alarm, ...]:
        """The agent has said its last word, `step`, and waits for the person."""
        view = self._window.open_view()
        if view is None:
            return ()
        return self._told(signs_at_rest(view, self.notes), step)

    def _signs_of_turn(self) -> Iterator[Sign]:
        self.turn += 1
        self.notes = [*self.notes[1 - MAX_NOTES :], self._note()]
        yield from signs_at_turn(self.notes)

    def _signs_of_step(self, step: Step) -> Iterator[Sign]:
        yield from self._signs_of_answer(step)
        if step.observations or step.event:
            yield from self._signs_of_segment()

    def _signs_of_answer(self, step: Step) -> Iterator[Sign]:
        if step.source == "agent" and self._may_answer():
            self.notes[-1] = self._note()
            yield from signs_at_turn(self.notes)

    def _signs_of_segment(self) -> Iterator[Sign]:
        view = self._window.open_view()
        if view is not None:
            yield from signs_in_segment(view, self.notes)

    def _may_answer(self) -> bool:
        """Whether the agent just answered the last turn: how it takes it is evidence too."""
        is_early = self._window.open_steps <= _REPLY_STEPS
        return is_early and bool(self.notes) and self._window.has_turn

    def _note(self) -> TurnNote:
        view = self._window.last_view()
        assert view is not None
        assert view.closing is not None
        step = view.segment.steps[-1]
        scale = shipped_weights().friction
        return note_of(step, view.closing, gather(view), scale, self._salt)

    def _told(self, signs: Iterable[Sign], step: Step) -> tuple[Alarm, ...]:
        return tuple(self._alarm(sign, step) for sign in signs if self._is_news(sign))

    def _is_news(self, sign: Sign) -> bool:
        before = self.raised.get(sign.kind)
        quiet = _QUIET_TURNS if sign.kind in _OF_TURNS else 1
        if before and self.turn - before[0] < quiet and sign.times < 2 * before[1]:
            return False
        self.raised[sign.kind] = (self.turn, sign.times)
        return True

    def _alarm(self, sign: Sign, step: Step) -> Alarm:
        return Alarm(
            sign.kind,
            self.turn,
            step.source_ref,
            step.timestamp,
            sign.times,
            seen(sign),
            advice(sign.kind),
        )
