"""`signals calibrate`: label rows against the verdicts in a real warehouse."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from agent_core.errors import BadInputError
from pipelines import loop
from pipelines.calibrating import Joined, calibrate
from pipelines.calibration_text import report_as_text
from pipelines.config import Config
from pipelines.context import Context
from pipelines.home import Home
from pipelines.report import read_report
from pipelines.review_rows import read_rows
from pipelines.stages.snapshot import current_snapshot
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.cli.command import signals
from tests.pipelines.warehouse_rows import add, new_warehouse

SESSIONS, TURNS = 12, 4


def _moment(turn: int) -> dict[str, Any]:
    return {
        "polarity": "friction",
        "type": "correction",
        "severity": "medium",
        "turn_ref": f"u{turn}",
        "source_ref": f"u{turn}",
    }


def _judged(connection: duckdb.DuckDBPyConnection, key: str, **values: Any) -> None:
    """A verdict that finds a correction in the second and third turn of a session."""
    turns = [
        {
            "source_ref": f"u{n}",
            "turn": n,
            "friction_score": 0.8 if n in (2, 3) else 0.1,
            "delight_score": 0.0,
        }
        for n in range(1, TURNS + 1)
    ]
    row: dict[str, Any] = {"moments": [_moment(2), _moment(3)], "turns": turns, **values}
    add(connection, "judgements", session_key=key, **row)


@pytest.fixture
def filled(context: Context) -> Context:
    """Twelve judged sessions of two projects with four turns each."""
    connection = new_warehouse(context.home.warehouse)
    connection.execute("BEGIN")
    for number in range(SESSIONS):
        key = f"atif:{number}"
        add(connection, "sessions", session_key=key, project=f"p{number % 2}",
            source_path=f"logs/{number}.jsonl.gz")  # fmt: skip
        for turn in range(1, TURNS + 1):
            add(connection, "steps", session_key=key, source_ref=f"u{turn}", position=turn,
                source="user", is_person=True, text="Still wrong." if turn == 2 else "Go on.",
                source_path=f"logs/{number}.jsonl.gz")  # fmt: skip
        _judged(connection, key, judgement_id=f"j{number}")
    connection.execute("COMMIT")
    connection.close()
    return context


def _label(session: int, turn: int, *, friction: int = 0, **more: Any) -> dict[str, Any]:
    row = {
        "path": f"elsewhere/{session}.jsonl",
        "source_ref": f"u{turn}",
        "friction": friction,
        "friction_types": ["correction"] if friction else [],
        "delight": 0,
        "delight_types": [],
    }
    return row | more


def _all_labels() -> list[dict[str, Any]]:
    """The second turn is friction in every session, the fourth in every other one."""
    return [
        _label(session, turn, friction=2 * (turn == 2 or (turn == 4 and session % 2)))
        for session in range(SESSIONS)
        for turn in range(1, TURNS + 1)
    ]


def _file(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _change(context: Context, sql: str) -> None:
    with duckdb.connect(str(context.home.warehouse)) as connection:
        connection.execute(sql)


def test_verdicts_are_measured_by_their_judge(filled: Context, tmp_path: Path) -> None:
    # 18 positives are too few; labelling the third turns of half the sessions makes 24.
    rows = _all_labels()
    for row in rows:
        if row["source_ref"] == "u3" and int(row["path"][10:].split(".")[0]) % 2:
            row |= {"friction": 2, "friction_types": ["correction"]}
    report = calibrate(filled, _file(tmp_path, rows))
    (found,) = report.judges
    friction = found.measured.overall["friction"].as_row()
    counts = ("turns", "positives", "true_positives", "false_positives")
    assert [friction[name] for name in counts] == [48, 24, 18, 6]
    assert [friction[name][0] for name in ("precision", "recall", "f1", "kappa")] == [
        0.75, 0.75, 0.75, 0.5,
    ]  # fmt: skip
    assert found.measured.types["friction"]["correction"].as_row()["kappa"][0] == 0.5
    assert found.measured.baselines["interrupt, rejection or word list"].true_positives == 12
    assert found.measured.left_out is not None
    assert found.measured.left_out.by == "project"
    assert report.joined == Joined(48, 0, 0, 0, {}, 48)
    text = report_as_text(report)
    assert "rules 1 with none" in text
    assert max(map(len, text.splitlines())) <= 100


def test_every_row_is_accounted_for(filled: Context, tmp_path: Path) -> None:
    _change(filled, "UPDATE judgements SET status = 'unscored', reason = 'cut off', "
                    "current = false WHERE session_key = 'atif:1'")  # fmt: skip
    _change(filled, "DELETE FROM judgements WHERE session_key = 'atif:2'")
    _change(filled, "UPDATE sessions SET exclusion = 'too short' WHERE session_key = 'atif:3'")
    _change(filled, "UPDATE steps SET source_path = 'other/5.jsonl' WHERE session_key = 'atif:4'")
    rows = [
        *(_label(session, 1) for session in (0, 1, 2, 3, 9)),
        _label(0, 1),
        _label(0, 77),
        _label(5, 1),
        _label(5, 2, path="logs/5.jsonl.gz"),
    ]
    report = calibrate(filled, _file(tmp_path, rows))
    assert report.joined == Joined(
        rows=9,
        replaced=1,
        no_such_turn=1,
        several_turns=1,
        without_verdict={"unscored: cut off": 1, "not judged yet": 1, "left out: too short": 1},
        judged=3,
    )


def test_a_turn_without_a_score_is_left_out(filled: Context, tmp_path: Path) -> None:
    _change(filled, "UPDATE judgements SET turns = replace(turns, '0.8', 'null') "
                    "WHERE session_key = 'atif:0'")  # fmt: skip
    report = calibrate(filled, _file(tmp_path, [_label(0, 1), _label(0, 2), _label(0, 3)]))
    assert report.joined.without_verdict == {"the turn has no score": 2}
    assert report.judges[0].measured.turns == 1


def test_another_judge_is_measured_by_name(filled: Context, tmp_path: Path) -> None:
    with duckdb.connect(str(filled.home.warehouse)) as connection:
        for number in (0, 1):
            _judged(connection, f"atif:{number}", judgement_id=f"m{number}", judge="llm",
                    model="some-model", current=number == 0)  # fmt: skip
        connection.execute("UPDATE judgements SET current = false WHERE judgement_id = 'j0'")
    file = _file(tmp_path, [_label(n, 2, friction=2) for n in (0, 1, 2)])
    measured = {
        name: [(found.identity.judge, found.measured.turns) for found in report.judges]
        for name, report in (
            ("standing", calibrate(filled, file)),
            ("llm", calibrate(filled, file, "llm")),
            ("rules", calibrate(filled, file, "rules")),
        )
    }
    assert measured == {
        "standing": [("llm", 1), ("rules", 2)],
        "llm": [("llm", 2)],
        "rules": [("rules", 3)],
    }


def test_what_review_drew_is_weighted_once_for_all_judges(filled: Context, tmp_path: Path) -> None:
    """Of either kind 24 turns, of which three are labelled: each stands for eight."""
    _change(filled, "UPDATE judgements SET judge = 'llm', model = 'some-model' "
                    "WHERE judgement_id = 'j6'")  # fmt: skip
    sizes = {"moment": 24, "random": 24}
    moment: dict[str, Any] = {"drawn": "moment", "drawn_from": sizes}
    clean = moment | {"drawn": "random"}
    rows = [
        *(_label(0, turn, friction=2, **moment) for turn in (2, 3)),
        _label(0, 1, **clean),
        _label(6, 2, friction=2, **moment),
        *(_label(6, turn, **clean) for turn in (1, 4)),
    ]
    report = calibrate(filled, _file(tmp_path, rows))
    rates = {
        found.identity.judge: found.measured.overall["friction"].positive_rate
        for found in report.judges
    }
    assert rates == {"llm": pytest.approx(1 / 3), "rules": pytest.approx(2 / 3)}


def test_a_row_with_another_separator_of_lines_in_it_is_one_row(
    filled: Context, tmp_path: Path
) -> None:
    row = json.dumps(_label(0, 1, note="one\u2028two\u0085three"), ensure_ascii=False)
    file = tmp_path / "labels.jsonl"
    file.write_text(f"{row}\n", encoding="utf-8")
    assert calibrate(filled, file).joined.rows == 1
    assert [kept["note"] for kept in read_rows(file)] == ["one\u2028two\u0085three"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "holds no label rows", id="empty"),
        pytest.param("{}\n", "labels.jsonl line 1: ", id="malformed"),
        pytest.param(json.dumps(_label(99, 1)), "ingest their logs first", id="unknown"),
    ],
)
def test_a_file_that_measures_nothing_is_refused(
    filled: Context, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=told):
        calibrate(filled, file)


def _published(context: Context, type_: str = "any") -> list[tuple[Any, ...]]:
    loop.run_stages(context, loop.snapshot)
    directory = current_snapshot(context.home.snapshots)
    assert directory is not None
    table = pl.read_parquet(directory / "judge_quality.parquet")
    return table.filter(pl.col("type") == type_, pl.col("polarity") == "friction").select(
        "judge_version", "origin", "same_version", "positives", "statement"
    ).rows()  # fmt: skip


def test_figures_are_kept_and_published_with_the_version_measured(
    filled: Context, tmp_path: Path
) -> None:
    rows = _all_labels() + [_label(n, 3, friction=1) for n in range(SESSIONS)]
    file = _file(tmp_path, rows)
    for _ in range(2):  # the same labels again take the place of the first
        calibrate(filled, file)
    with duckdb.connect(str(filled.home.warehouse)) as connection:
        kept = connection.execute(
            "SELECT count(*), count(DISTINCT calibration_id) FROM calibrations"
        ).fetchall()
    assert kept == [(17, 1)]
    ((version, origin, same, positives, statement),) = _published(filled)
    assert (version, origin, same, positives) == ("1", "own", True, 30)
    assert statement.startswith("kappa 0.")
    assert statement.endswith("on 48 labelled turns")
    _change(filled, "UPDATE judgements SET judge_version = '1.7'")
    ((version, origin, same, positives, statement),) = _published(filled)
    assert (version, origin, same, positives) == ("1.7", "own", False, 30)
    assert statement.endswith("; of another version: rules 1, rubric 1")


def test_severity_is_of_the_turns_on_which_annotators_disagree_too(
    filled: Context, tmp_path: Path
) -> None:
    none, some = ({"friction": level, "delight": 0} for level in (0, 2))
    rows = [
        {"path": f"{session}.jsonl", "source_ref": f"u{turn}",
         "A": some if turn in (2, 4) else none, "B": some if turn in (1, 2, 4) else none}
        for session in range(SESSIONS)
        for turn in range(1, TURNS + 1)
    ]  # fmt: skip
    calibrate(filled, _file(tmp_path, rows))
    statements = [_published(filled, type_)[0][-1] for type_ in ("any", "severity")]
    assert [said.rpartition(" on ")[2] for said in statements] == [
        "36 labelled turns",
        "48 labelled turns",
    ]
    _change(filled, "UPDATE calibrations SET figures = replace(figures, 'severity_turns', 'old')")
    assert _published(filled, "severity")[0][-1].endswith("] on labelled turns")


def test_without_own_labels_the_shipped_figures_stand_there_as_such(filled: Context) -> None:
    ((_, origin, _, _, statement),) = _published(filled)
    assert origin == "shipped"
    assert "public turns labelled by language models, not people" in statement
    _change(filled, "UPDATE judgements SET judge = 'llm', model = 'some-model'")
    assert _published(filled) == [
        ("1", "none", None, None,
         "not measured on your labels: signals review, then signals calibrate")
    ]  # fmt: skip


def test_a_team_gets_the_figures_without_labels_or_names(filled: Context, tmp_path: Path) -> None:
    rows = _all_labels() + [_label(n, 3, friction=1) for n in range(SESSIONS)]
    calibrate(filled, _file(tmp_path, rows))
    team = replace(filled, config=Config(mode="team"), run_id="run-2")
    ((_, origin, _, positives, _),) = _published(team)
    assert (origin, positives) == ("own", 30)
    directory = current_snapshot(team.home.snapshots)
    assert directory is not None
    content = (directory / "judge_quality.parquet").read_bytes()
    assert b"labels.jsonl" not in content
    assert b"elsewhere" not in content


@pytest.mark.slow
def test_the_command_measures_publishes_and_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = write_log(
        tmp_path / "logs" / "a.jsonl",
        said("s1", "u1", 0, "Add a test for the parser."),
        answered("s1", "u2", 1, "Done, it passes."),
        said("s1", "u3", 2, "No, that is wrong, it still fails."),
    )
    for arguments in (("ingest", log), ("judge",)):
        assert signals(*arguments, home=home).returncode == 0
    publisher = Context(Home(home), Config(), "run-1", "test")
    loop.run_stages(publisher, loop.snapshot)
    labels = _file(tmp_path, [_label(0, 1, path="a.jsonl"),
                              _label(0, 3, path="a.jsonl", friction=2)])  # fmt: skip
    done = signals("--json", "calibrate", labels, home=home)
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["rows"] == {
        "rows": 2, "replaced": 0, "no_such_turn": 0, "several_turns": 0, "without_verdict": {},
        "judged": 2,
    }  # fmt: skip
    (rules,) = told["judges"]
    assert (rules["judge"], rules["operating_point"]) == ("rules", None)
    assert rules["friction"]["any"] == {
        "turns": 2, "positives": 1, "true_positives": 1, "false_positives": 0,
        "false_negatives": 0, "positive_rate": 0.5,
        "note": "not measured: fewer than 20 positives",
    }  # fmt: skip
    report = read_report(home / "snapshots")
    (whole,) = (r for r in report.accuracy if (r.polarity, r.type) == ("delight", "any"))
    assert report.run_id != "run-1"
    assert whole.statement == "not measured: 0 labelled turns with it, 20 needed"
