"""`signals review`: shows turns and their verdicts to the owner and keeps what the owner says.

Shown are turns of three kinds: with a moment, judged clean by a hair, judged clean. Of each kind
they come in an order that is random and always the same; of four turns two have a moment, one is
clean and one is near the operating point. A row says of which kind it was drawn, and from how
many: `signals calibrate` weights by it, so that what is shown more often counts no more.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import duckdb
import orjson

from agent_core.errors import BadInputError, HomeError
from judges.calibration import Drawn
from judges.rules.scoring import shipped_weights
from pipelines.context import Context
from pipelines.review_dialogue import Answer, Dialogue, Shown, ShownMoment, review_turn
from pipelines.review_rows import append_row, read_rows
from pipelines.stages.snapshot_tables import load_views
from pipelines.warehouse import query
from pipelines.warehouse.session_rows import load_sessions

__all__ = ["Dialogue", "review_turns"]

_ORDER: tuple[Drawn, ...] = ("moment", "random", "moment", "borderline")
_NEAR = 0.2
"""A clean turn whose friction score is less than this below the operating point is borderline."""
_MODEL_POINT = 0.5


def review_turns(
    context: Context, out: Path, dialogue: Dialogue, *, limit: int | None = None
) -> dict[str, int]:
    """Ask of turn after turn, keep each answer in `out` at once, and return counts.

    Ends when there is no turn left, after `limit` of them, at `q` or at the end of the input.
    Raises BadInputError in team mode, and where there is nobody to answer; HomeError where
    nothing is judged yet.
    """
    if context.config.mode == "team":
        raise BadInputError(
            'review shows single sessions and is refused in mode = "team"; their owners can '
            "review them, each in a home of their own"
        )
    turns = _judged_turns(context)
    if not turns:
        raise HomeError("nothing to review: no turn is judged yet, run `signals run` first")
    sizes = Counter(turn.kind for turn in turns)
    answered = _answered(read_rows(out))
    waiting = [turn for turn in turns if answered.get(turn.place) != turn.verdict]
    chosen = list(_interleaved(waiting, len(answered)))[:limit]
    counts = Counter[str](answered=0, skipped=0)
    for number, turn in enumerate(chosen, start=1):
        shown = turn.shown(f"{number} of {len(chosen)}")
        answer = review_turn(shown, dialogue, partial(_text, context, turn))
        if answer == "quit":
            break
        if answer == "skip":
            counts["skipped"] += 1
            continue
        append_row(out, _row(turn, answer, sizes, context.clock()))
        counts["answered"] += 1
    if dialogue.ended and not counts.total():
        raise BadInputError(
            "nobody to answer: run signals review in a terminal, or give one answer a line on stdin"
        )
    return {**counts, "waiting": len(waiting) - counts["answered"], "labelled": len(read_rows(out))}


@dataclass(frozen=True, slots=True)
class _JudgedTurn:
    """A turn of the person with the verdict that stands."""

    session_key: str
    path: str
    source_ref: str
    project: str | None
    turn: int
    turns: int
    kind: Drawn
    judge: str
    friction_score: float
    moments: tuple[Mapping[str, Any], ...]

    @property
    def place(self) -> tuple[str, str]:
        return (self.path, self.source_ref)

    @property
    def verdict(self) -> tuple[str, ...]:
        """What a new answer is asked for when it changes."""
        return tuple(sorted(f"{m['polarity']}/{m['type']}/{m['severity']}" for m in self.moments))

    def shown(self, count: str) -> Shown:
        """The turn as the dialogue shows it."""
        return Shown(
            heading=f"{count}: {self.session_key}, turn {self.turn} of {self.turns}"
            + (f", project {self.project}" if self.project else ""),
            judge=self.judge,
            friction_score=self.friction_score,
            moments=tuple(
                ShownMoment(m["polarity"], m["type"], m["severity"], m["citation"])
                for m in self.moments
            ),
        )


def _judged_turns(context: Context) -> list[_JudgedTurn]:
    with context.warehouse() as connection:
        connection.execute(load_views(context.config.mode))
        judgements = query(
            connection,
            "SELECT session_key, project, judge, judge_version, moments, turns "
            "FROM standing_judgements JOIN sessions USING (session_key) "
            "WHERE current AND status = 'judged' ORDER BY session_key",
        )
        paths = _paths(connection)
    return [
        turn
        for row in judgements.iter_rows(named=True)
        for turn in _turns_of(row, paths.get(row["session_key"], {}))
    ]


def _paths(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The file of each turn of the person, by session and reference."""
    found = query(
        connection,
        "SELECT session_key, source_ref, steps.source_path FROM steps "
        "JOIN sessions USING (session_key) "
        "WHERE is_person AND NOT is_copied_context AND conversion_of IS NULL",
    )
    paths: dict[str, dict[str, str]] = {}
    for key, ref, path in found.iter_rows():
        paths.setdefault(key, {})[ref] = path
    return paths


def _turns_of(row: Mapping[str, Any], paths: Mapping[str, str]) -> Iterator[_JudgedTurn]:
    moments: dict[str | None, list[Mapping[str, Any]]] = {}
    for moment in orjson.loads(row["moments"]):
        moments.setdefault(moment["turn_ref"], []).append(moment)
    turns = orjson.loads(row["turns"])
    for turn in turns:
        ref, score = turn["source_ref"], turn["friction_score"]
        if ref not in paths or score is None:
            continue  # purged, or not judged: nothing that a label could be held against
        own = tuple(moments.get(ref, ()))
        yield _JudgedTurn(
            session_key=row["session_key"],
            path=paths[ref],
            source_ref=ref,
            project=row["project"],
            turn=turn["turn"],
            turns=len(turns),
            kind="moment" if own else _clean_kind(score, row["judge"]),
            judge=f"{row['judge']} {row['judge_version']}",
            friction_score=score,
            moments=own,
        )


def _clean_kind(score: float, judge: str) -> Drawn:
    point = shipped_weights().friction.operating_point if judge == "rules" else _MODEL_POINT
    return "borderline" if score >= point - _NEAR else "random"


def _answered(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The verdict that each labelled turn had when it was asked of."""
    return {
        (row["path"], row["source_ref"]): tuple(row["judged"]) for row in rows if "judged" in row
    }


def _interleaved(turns: Sequence[_JudgedTurn], answered: int) -> Iterator[_JudgedTurn]:
    """The turns in the order in which they are asked of, after so many answers."""
    by_kind = {kind: iter(_shuffled([t for t in turns if t.kind == kind])) for kind in set(_ORDER)}
    left = Counter(turn.kind for turn in turns)
    for kind in islice(cycle(_ORDER), answered % len(_ORDER), None):
        if not left.total():
            return
        if left[kind]:
            left[kind] -= 1
            yield next(by_kind[kind])


def _shuffled(turns: Sequence[_JudgedTurn]) -> list[_JudgedTurn]:
    """By a hash of what the turn is: random, yet the same in every run."""
    return sorted(
        turns, key=lambda t: hashlib.sha256(f"{t.session_key}\0{t.source_ref}".encode()).digest()
    )


def _text(context: Context, turn: _JudgedTurn) -> tuple[str, str]:
    """What the agent had said last, and what the person says in this turn."""
    with context.warehouse() as connection:
        (session,) = load_sessions(connection, [turn.session_key])
    said = ""
    for step in session.steps:
        if step.source_ref == turn.source_ref:
            return said, step.text
        if step.source == "agent" and step.text.strip():
            said = step.text
    return said, ""


def _row(
    turn: _JudgedTurn, answer: Answer, sizes: Mapping[Drawn, int], now: datetime
) -> dict[str, Any]:
    return {
        "path": turn.path,
        "source_ref": turn.source_ref,
        "session": turn.session_key,
        "turn": turn.turn,
        "friction": answer.friction,
        "friction_types": list(answer.friction_types),
        "delight": answer.delight,
        "delight_types": list(answer.delight_types),
        "right": answer.right,
        "judged": list(turn.verdict),
        "judge": turn.judge,
        "drawn": turn.kind,
        "drawn_from": dict(sorted(sizes.items())),
        "labelled_at": now.isoformat(),
    }
