"""`signals calibrate`: the verdicts in the warehouse against label rows.

A label joins a turn by (basename of its path without .gz, source_ref). Turns that could not be
judged are left out and counted: no verdict is not a verdict of "no friction".
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import duckdb
import orjson

from agent_core.errors import BadInputError
from agent_core.session import segments
from judges.calibration import (
    Label,
    LabelledTurn,
    LabelRows,
    Measurement,
    baselines_of,
    drawing_weights,
    kinds_never_drawn,
    measure,
    read_labels,
    verdict_of,
)
from judges.calibration.left_out import CANDIDATE_POINTS
from judges.rubric import load_rubric
from judges.rules.scoring import shipped_weights
from judges.verdict import JudgeIdentity
from pipelines.calibration_rows import as_row_set, store_calibration
from pipelines.context import Context
from pipelines.stages.snapshot_tables import load_views
from pipelines.warehouse import query
from pipelines.warehouse.session_rows import load_sessions

JudgeName = Literal["rules", "llm"]
_SESSIONS_AT_ONCE = 50
_NO_PROJECT = "unknown"


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of the label rows; the counts add up to `rows`."""

    rows: int
    replaced: int
    """Rows for a turn that a later row labels again."""
    no_such_turn: int
    several_turns: int
    """Rows whose file name and reference stand in several sessions."""
    without_verdict: Mapping[str, int]
    """Turns by the reason why they have no verdict."""
    judged: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """One judge's figures."""

    identity: JudgeIdentity
    measured: Measurement
    drawn: bool
    """Whether figures are weighted by how `signals review` drew the turns."""
    never_drawn: tuple[str, ...]
    """Kinds of turns of which none is labelled, so that the figures know nothing of them."""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """What `signals calibrate` says."""

    labels: str
    joined: Joined
    judges: tuple[Calibration, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "labels": self.labels,
            "rows": asdict(self.joined),
            "judges": [
                {
                    **asdict(calibration.identity),
                    "weighted": calibration.drawn,
                    "never_drawn": list(calibration.never_drawn),
                    **as_row_set(calibration.measured),
                }
                for calibration in self.judges
            ],
        }


def calibrate(context: Context, file: Path, judge: JudgeName | None = None) -> CalibrationReport:
    """Measure the judges on the labels of `file`, keep the figures, and return them.

    Without `judge` each verdict counts that stands now, by judge, version, model and rubric; with
    it the newest verdicts of that judge. Raises BadInputError for a file that holds no label rows
    or none of a turn that is judged.
    """
    text = _read(file)
    rows = read_labels(text.split("\n"), load_rubric(), name=file.name)
    if not rows.labels:
        raise BadInputError(f"{file}: holds no label rows; signals review writes some")
    with context.warehouse() as connection:
        connection.execute(load_views(context.config.mode))
        joined, turns = _labelled_turns(connection, rows, judge)
    if not turns:
        raise BadInputError(f"{file}: {_nothing_to_measure(joined)}")
    calibrations = [_measured(identity, turns[identity]) for identity in sorted(turns, key=str)]
    digest = hashlib.sha256(text.encode()).hexdigest()
    with context.warehouse() as connection:
        for found in calibrations:
            store_calibration(connection, found.identity, found.measured, digest, context.clock())
    return CalibrationReport(file.name, joined, tuple(calibrations))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{file}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file}: is no UTF-8 text: label rows are JSON lines") from error


def _labelled_turns(
    connection: duckdb.DuckDBPyConnection, rows: LabelRows, judge: JudgeName | None
) -> tuple[Joined, dict[JudgeIdentity, list[LabelledTurn]]]:
    """The judged turns of the labels, by judge, and what became of every row."""
    places = _places(connection, rows.labels)
    found = [(label, place) for label, place in places if isinstance(place, _Place)]
    keys = sorted({place.session for _, place in found})
    verdicts = _verdicts(connection, keys, judge)
    baselines = _baselines(connection, found)
    weights = drawing_weights(rows.labels)
    turns: dict[JudgeIdentity, list[LabelledTurn]] = defaultdict(list)
    missing = list[_Place]()
    for label, place in found:
        if (verdict := verdicts.get((place.session, label.source_ref))) is None:
            missing.append(place)
            continue
        turn = _labelled_turn(label, place, verdict, baselines)
        turns[verdict.identity].append(replace(turn, weight=weights[label.drawn]))
    joined = Joined(
        rows=len(rows.labels) + rows.replaced,
        replaced=rows.replaced,
        no_such_turn=sum(place == "none" for _, place in places),
        several_turns=sum(place == "several" for _, place in places),
        without_verdict=_reasons(connection, missing, judge),
        judged=sum(len(of_judge) for of_judge in turns.values()),
    )
    return joined, dict(turns)


@dataclass(frozen=True, slots=True)
class _Place:
    """A turn in the warehouse."""

    session: str
    project: str


def _places(
    connection: duckdb.DuckDBPyConnection, labels: Sequence[Label]
) -> list[tuple[Label, _Place | Literal["none", "several"]]]:
    known = query(
        connection,
        "SELECT session_key, source_ref, steps.source_path, project FROM steps "
        "JOIN sessions USING (session_key) WHERE is_person AND NOT is_copied_context "
        "AND conversion_of IS NULL AND source_ref IN (SELECT unnest(?)) ORDER BY ALL",
        [sorted({label.source_ref for label in labels})],
    )
    by_name: dict[tuple[str, str], list[tuple[str, _Place]]] = defaultdict(list)
    for key, ref, path, project in known.iter_rows():
        by_name[_name(path), ref].append((path, _Place(key, project or _NO_PROJECT)))
    return [(label, _place(label, by_name)) for label in labels]


def _place(
    label: Label, by_name: Mapping[tuple[str, str], list[tuple[str, _Place]]]
) -> _Place | Literal["none", "several"]:
    """The one turn that the label names; among several the one at the very same path."""
    candidates = by_name.get((_name(label.path), label.source_ref), [])
    if len(candidates) > 1:
        candidates = [found for found in candidates if found[0] == label.path] or candidates
    if len(candidates) != 1:
        return "several" if candidates else "none"
    return candidates[0][1]


def _name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].removesuffix(".gz")


@dataclass(frozen=True, slots=True)
class _Judged:
    """The verdict on one turn."""

    identity: JudgeIdentity
    friction_score: float
    delight_score: float
    moments: tuple[Mapping[str, Any], ...]


def _verdicts(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], judge: JudgeName | None
) -> dict[tuple[str, str], _Judged]:
    """By session and turn; a turn without a score is not there."""
    judgements = query(
        connection,
        "SELECT judge, judge_version, prompt_version, model, rubric_version, session_key, "
        "moments, turns FROM standing_judgements JOIN sessions USING (session_key) "
        "WHERE status = 'judged' AND exclusion IS NULL AND session_key IN (SELECT unnest($keys)) "
        "AND (CASE WHEN $judge IS NULL THEN current ELSE judge = $judge END) "
        "QUALIFY row_number() OVER "
        "(PARTITION BY session_key ORDER BY judged_at DESC, judgement_id) = 1",
        {"keys": list(keys), "judge": judge},
    )
    found: dict[tuple[str, str], _Judged] = {}
    for *identity, key, moments, turns in judgements.iter_rows():
        by_turn: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
        for moment in orjson.loads(moments):
            by_turn[moment["turn_ref"]].append(moment)
        for turn in orjson.loads(turns):
            friction, delight = turn["friction_score"], turn["delight_score"]
            if friction is not None and delight is not None:
                ref = turn["source_ref"]
                found[key, ref] = _Judged(
                    JudgeIdentity(*identity), friction, delight, tuple(by_turn[ref])
                )
    return found


def _labelled_turn(
    label: Label,
    place: _Place,
    verdict: _Judged,
    baselines: Mapping[tuple[str, str], Mapping[str, bool]],
) -> LabelledTurn:
    moments = [(m["polarity"], m["type"], m["severity"]) for m in verdict.moments]
    return LabelledTurn(
        session=place.session,
        project=label.project or place.project,
        label=label,
        verdict=verdict_of(moments, verdict.friction_score, verdict.delight_score),
        baselines=baselines.get((place.session, label.source_ref), {}),
    )


def _baselines(
    connection: duckdb.DuckDBPyConnection, found: Sequence[tuple[Label, _Place]]
) -> dict[tuple[str, str], Mapping[str, bool]]:
    """What the baselines say of each labelled turn whose text is still there."""
    wanted = {(place.session, label.source_ref) for label, place in found}
    keys = sorted({session for session, _ in wanted})
    return {
        (session.key, segment.turn_ref): baselines_of(segment)
        for start in range(0, len(keys), _SESSIONS_AT_ONCE)
        for session in load_sessions(connection, keys[start : start + _SESSIONS_AT_ONCE])
        for segment in segments(session)
        if segment.turn_ref is not None
        and (session.key, segment.turn_ref) in wanted
        and segment.steps[-1].text
    }


def _reasons(
    connection: duckdb.DuckDBPyConnection, missing: Sequence[_Place], judge: JudgeName | None
) -> dict[str, int]:
    """Turns without a verdict, by the reason that the snapshot gives of their session."""
    statuses = query(
        connection,
        "SELECT session_key, status, reason FROM published_sessions "
        "WHERE session_key IN (SELECT unnest(?))",
        [sorted({place.session for place in missing})],
    )
    words = {key: _reason(status, reason, judge) for key, status, reason in statuses.iter_rows()}
    return dict(Counter(words[place.session] for place in missing).most_common())


def _reason(status: str, reason: str | None, judge: JudgeName | None) -> str:
    match status:
        case "excluded":
            return f"left out: {reason}"
        case "waiting":
            return "not judged yet"
        case "judged":
            return f"not judged by {judge}" if judge else "the turn has no score"
    return f"{status}: {reason}" if reason else status


def _nothing_to_measure(joined: Joined) -> str:
    if joined.no_such_turn + joined.several_turns + joined.replaced == joined.rows:
        return (
            f"none of its {joined.rows} rows names a turn that is here (joined on file name and "
            "source_ref): ingest their logs first"
        )
    reasons = ", ".join(f"{name}: {count}" for name, count in joined.without_verdict.items())
    return f"no labelled turn has a verdict ({reasons}): run signals judge"


def _measured(identity: JudgeIdentity, turns: Sequence[LabelledTurn]) -> Calibration:
    own = [shipped_weights().friction.operating_point] if identity.judge == "rules" else []
    return Calibration(
        identity=identity,
        measured=measure(turns, load_rubric(), points=[*CANDIDATE_POINTS, *own]),
        drawn=any(turn.label.drawn for turn in turns),
        never_drawn=tuple(kinds_never_drawn(turns)),
    )
