"""What `signals review` asks of one turn: lines out, lines in, from a person or a script."""

import re
import signal
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TextIO

from judges.calibration.turns import SEVERITY_LEVELS
from judges.rubric import load_rubric
from judges.verdict import Polarity, Severity

_WIDTH = 96
_SHOWN_CHARS = 2000
# A log's text must not steer the terminal.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)


@dataclass(frozen=True, slots=True)
class ShownMoment:
    """A moment that the judge found in the turn's segment."""

    polarity: Polarity
    type: str
    severity: Severity
    citation: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A turn and its verdict."""

    heading: str
    judge: str
    friction_score: float
    moments: tuple[ShownMoment, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the owner says of the turn, and whether the judge had said the same."""

    right: bool
    friction: int = 0
    friction_types: tuple[str, ...] = ()
    delight: int = 0
    delight_types: tuple[str, ...] = ()


@dataclass(slots=True)
class Dialogue:
    """Where questions go and answers come from; `ended` once there are no more answers."""

    to_stderr: bool = False
    answers: TextIO = field(default_factory=lambda: sys.stdin)
    ended: bool = False

    def tell(self, text: str, *, end: str = "\n") -> None:
        """Show text, stripped of what steers a terminal."""
        out = sys.stderr if self.to_stderr else sys.stdout
        print(_CONTROL.sub("", text), end=end, file=out, flush=True)

    def ask(self, question: str) -> str | None:
        """The next answer, in small letters; None at the end of the input."""
        self.tell(f"{question} ", end="")
        # Native libraries leave Ctrl-C set to resume a read: it would wait for the next line.
        signal.siginterrupt(signal.SIGINT, True)
        line = self.answers.readline()
        if not line:
            self.ended = True
            self.tell("")
            return None
        return line.strip().lower()


def review_turn(
    shown: Shown, dialogue: Dialogue, text: Callable[[], tuple[str, str]]
) -> Answer | Literal["skip", "quit"]:
    """Show a turn and ask until there is an answer; `text` gives what was really said."""
    _show(shown, dialogue)
    while True:
        match dialogue.ask("Right? y, n, t (show the text), s (skip), q (quit):"):
            case None | "q" | "quit":
                return "quit"
            case "s" | "skip":
                return "skip"
            case "t" | "text":
                _show_text(*text(), dialogue)
            case "y" | "yes":
                return _as_judged(shown.moments)
            case "n" | "no":
                return _corrected(dialogue) or "quit"
            case other:
                dialogue.tell(f"{other!r} is none of y, n, t, s, q")


def _show(shown: Shown, dialogue: Dialogue) -> None:
    dialogue.tell(f"\n{shown.heading}")
    if not shown.moments:
        score = f"{100 * shown.friction_score:.0f} %"
        dialogue.tell(f"  {shown.judge}: neither friction nor delight (friction score {score})")
    for moment in shown.moments:
        what = f"{moment.severity} {moment.polarity}, {moment.type.replace('_', ' ')}"
        dialogue.tell(f"  {shown.judge}: {what}")
        dialogue.tell(textwrap.fill(moment.citation, _WIDTH, initial_indent="    ",
                                    subsequent_indent="    "))  # fmt: skip


def _show_text(agent: str, person: str, dialogue: Dialogue) -> None:
    # The end of what the agent said is what the person answers.
    for name, text in (("agent", agent[-_SHOWN_CHARS:]), ("person", person[:_SHOWN_CHARS])):
        lines = text.splitlines() or ["(nothing)"]
        dialogue.tell("\n".join(f"  {name} | {line}" for line in lines))


def _as_judged(moments: Sequence[ShownMoment]) -> Answer:
    types = {
        polarity: tuple(sorted({m.type for m in moments if m.polarity == polarity}))
        for polarity in ("friction", "delight")
    }
    levels = [SEVERITY_LEVELS[m.severity] for m in moments if m.polarity == "friction"]
    return Answer(
        right=True,
        friction=max(levels, default=0),
        friction_types=types["friction"],
        delight=int(bool(types["delight"])),
        delight_types=types["delight"],
    )


def _corrected(dialogue: Dialogue) -> Answer | None:
    """What it should have been; None at the end of the input."""
    severity = _one_of(dialogue, "Friction? 0 none, 1 low, 2 medium, 3 high:", ("0", "1", "2", "3"))
    if severity is None:
        return None
    friction = _types(dialogue, "friction") if severity != "0" else ()
    delight = _one_of(dialogue, "Delight? 0 no, 1 yes:", ("0", "1"))
    if friction is None or delight is None:
        return None
    delights = _types(dialogue, "delight") if delight == "1" else ()
    if delights is None:
        return None
    return Answer(False, int(severity), friction, int(delight), delights)


def _one_of(dialogue: Dialogue, question: str, known: Sequence[str]) -> str | None:
    while (answer := dialogue.ask(question)) is not None:
        if answer in known:
            return answer
        dialogue.tell(f"{answer!r} is none of {', '.join(known)}")
    return None


def _types(dialogue: Dialogue, polarity: Polarity) -> tuple[str, ...] | None:
    """Types by number or name; an empty answer is none that fits."""
    names = load_rubric().names(polarity)
    listed = ", ".join(f"{number} {name}" for number, name in enumerate(names, start=1))
    by_answer = {str(n): name for n, name in enumerate(names, start=1)} | {n: n for n in names}
    dialogue.tell(textwrap.fill(listed, _WIDTH, initial_indent="  ", subsequent_indent="  "))
    while (
        answer := dialogue.ask("Which? numbers or names, Enter for none that fits:")
    ) is not None:
        given = answer.replace(",", " ").split()
        if all(word in by_answer for word in given):
            return tuple(dict.fromkeys(by_answer[word] for word in given))
        unknown = next(word for word in given if word not in by_answer)
        dialogue.tell(f"{unknown!r} is no {polarity} type")
    return None
