"""What a hook remembers of a session from call to call: hashes and names, no text.

One file a transcript, `state/live/<hash>.json` in the home, mode 0600.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from agent_core.private_files import write_private
from agent_core.session import Step
from judges.live import ALARM_KINDS, AlarmKind, LiveJudge, TurnNote
from judges.live.memory import turn_ref

STATE_VERSION = 1
MAX_FILES = 200
"""The state of sessions that were quiet longest is removed beyond it."""

_SALT_BYTES = 32
_MAX_GHOSTS = 3


@dataclass
class LiveState:
    """The state of one session."""

    path: Path
    salt: bytes
    turn: int
    notes: list[TurnNote]
    raised: dict[AlarmKind, tuple[int, int]]

    @staticmethod
    def load(root: Path, transcript: Path) -> "LiveState":
        """The state in the home; a new one where there is none, or none that can be read."""
        salt = _salt(root)
        name = hashlib.sha256(bytes(transcript)).hexdigest()[:32]
        state = LiveState(root / "state" / "live" / f"{name}.json", salt, 0, [], {})
        try:
            state._fill(json.loads(state.path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return LiveState(state.path, salt, 0, [], {})
        return state

    def resume(self, steps: Sequence[Step]) -> tuple[LiveJudge, list[Step]]:
        """A judge that knows what was judged before, and the steps that come after that."""
        own = [step for step in steps if not step.is_copied_context]
        turns = [i for i, step in enumerate(own) if step.is_person]
        refs = [turn_ref(own[position], self.salt) for position in turns]
        known, notes = _aligned(refs, self.notes)
        begin = turns[known - 1] + 1 if known else 0
        judge = LiveJudge(self.salt, begins=False, notes=notes, turn=self.turn, raised=self.raised)
        judge.recall(own[:begin])
        return judge, own[begin:]

    def store(self, judge: LiveJudge) -> None:
        """Keep what the judge knows now. OSError where the home cannot be written to."""
        notes = [
            {
                "ref": note.ref,
                "words": sorted(note.words),
                "evidence": sorted(note.evidence),
                "score": note.score,
                "friction": note.is_friction,
            }
            for note in judge.notes
        ]
        if not self.path.exists():
            _make_room(self.path.parent)
        state = {
            "version": STATE_VERSION,
            "turn": judge.turn,
            "notes": notes,
            "raised": judge.raised,
        }
        write_private(self.path, json.dumps(state).encode())

    def _fill(self, state: dict[str, Any]) -> None:
        if state["version"] != STATE_VERSION:
            return
        self.turn = int(state["turn"])
        self.notes = [
            TurnNote(
                str(note["ref"]),
                frozenset(map(str, note["words"])),
                frozenset(map(str, note["evidence"])),
                float(note["score"]),
                note["friction"] is True,
            )
            for note in state["notes"]
        ]
        self.raised = {
            cast(AlarmKind, kind): (int(turn), int(times))
            for kind, (turn, times) in state["raised"].items()
            if kind in ALARM_KINDS
        }


def _aligned(refs: Sequence[str], notes: list[TurnNote]) -> tuple[int, list[TurnNote]]:
    """How many of the turns, from the first, are noted already, and the notes up to there.

    The last notes may be of prompts that never came into the transcript. Where nothing fits, the
    hook was off for a while: notes of what it does not see are let go.
    """
    if not refs:
        return 0, notes
    for ghosts in range(min(_MAX_GHOSTS, len(notes)) + 1):
        kept = notes[: len(notes) - ghosts]
        known = [note.ref for note in kept]
        for count in range(min(len(refs), len(known)), 0, -1):
            if known[-count:] == list(refs[:count]):
                return count, kept
    return 0, []


def _salt(root: Path) -> bytes:
    """The home's salt, read as it lies there: the home itself takes longer to load."""
    try:
        salt = (root / "state" / "salt").read_bytes()
    except FileNotFoundError:
        salt = b""
    if len(salt) == _SALT_BYTES:
        return salt
    from pipelines.home import Home

    return Home(root).prepare().salt()


def _make_room(folder: Path) -> None:
    if not folder.is_dir():
        return
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
    for file in files[: max(0, len(files) - MAX_FILES + 1)]:
        file.unlink(missing_ok=True)
