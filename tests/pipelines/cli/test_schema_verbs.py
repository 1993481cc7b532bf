"""The verbs of the schema as a person meets them: what they say, in words and as JSON."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from facets.proposal import Proposal
from pipelines.cli.app import run
from pipelines.context import Context
from pipelines.schemas import ensure_schema
from pipelines.stages.facets import fill_facets
from tests.pipelines.schema_world import (
    EAST,
    NOW,
    add_session,
    copy_of,
    make_context,
    model_of,
    place_texts,
    propose,
    prototype,
)

Signals = Callable[..., tuple[int, str, str]]
"""Runs the command in this process: exit code, stdout, stderr."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """One session of one nameless moment, and a proposal of each sort."""
    context = make_context(tmp_path_factory.mktemp("template"))
    with context.warehouse() as connection:
        ensure_schema(connection, NOW)
        add_session(connection, "s1", [("other", "east")], turns=3)
        place_texts(connection, model_of(context), east=EAST)
        propose(connection, Proposal(
            "p1", "new_type", "friction", "goal_drift", "The goal moved.", (),
            prototype(context, EAST), support=9, sessions=7, users=2, stability=0.912,
            evidence={"gain": 0.2111, "terms": ["goal", "moved"], "examples": ["a", "b"]},
        ))  # fmt: skip
        propose(connection, Proposal(
            "p2", "new_facet", "pace", "pace", "Turns again.",
            facet={"type": "count", "provenance": "log", "rule": "turns"},
        ))  # fmt: skip
    fill_facets(context)
    return context


@pytest.fixture
def signals(
    template: Context, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Signals]:
    """The command over a copy of the template's home."""
    home = copy_of(template, tmp_path).home
    home.config.write_text(f'[embedding]\nmodel_dir = "{template.config.embedding.model_dir}"\n')
    umask = os.umask(0o077)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["--home", str(home.root), *arguments])
        out, errors = capsys.readouterr()
        return code, out, errors

    yield call
    os.umask(umask)


def _json(signals: Signals, *arguments: str) -> Any:
    code, out, errors = signals("--json", "schema", *arguments)
    assert (code, errors) == (0, "")
    return json.loads(out)


def test_show_says_of_everything_what_it_is_where_from_and_since_when(signals: Signals) -> None:
    signals("schema", "accept", "p1")
    code, out, _ = signals("schema", "show")
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "schema version 2")
    assert "  goal_drift: The goal moved. [by distance, from other, since version 2]" in lines
    assert (
        "  correction: The person points out that a result is wrong or incomplete, or steers "
        "elsewhere. [judge, since version 1]"
    ) in lines
    assert "  turns (count): Turns of the person. [rule turns, since version 1]" in lines
    assert lines[lines.index("    unclear: the log does not show it") + 1].startswith("  outcome (")
    assert lines[-4:-1] == [
        "open proposals: 1 (signals schema accept ID, or reject ID)",
        "  p2  open: a new facet, pace",
        "      Turns again.",
    ]


def test_a_proposal_is_shown_with_its_evidence(signals: Signals) -> None:
    _, out, _ = signals("schema", "proposals")
    lines = out.splitlines()
    assert lines[:2] == ["p1  open: a new type of friction, goal_drift", "    The goal moved."]
    assert re.search(r"9 .*7 sessions.* 2 users.*0\.91.*gain 0\.211", lines[2])
    assert lines[3:6] == ["    terms: goal, moved", "    such as: a", "    such as: b"]


def test_an_open_proposal_says_when_it_was_found_last(signals: Signals, tmp_path: Path) -> None:
    with closing(duckdb.connect(next(tmp_path.rglob("signals.duckdb")))) as connection:
        connection.execute("UPDATE schema_proposals SET run_id = 'found' WHERE proposal_id = 'p1'")
        for run, day in (("found", 3), ("later", 9)):
            connection.execute(
                "INSERT INTO runs VALUES ($1, 'clusters', $2, $2, 'done', '{}')",
                [run, datetime(2026, 3, day, tzinfo=UTC)],
            )
    _, out, _ = signals("schema", "proposals")
    assert "p1  open, found last on 2026-03-03: a new type of friction, goal_drift" in out


def test_accept_says_what_it_changes_and_a_second_time_that_it_did(signals: Signals) -> None:
    assert signals("schema", "accept", "p1")[:2] == (
        0,
        "p1: accepted; the schema is now version 2\n"
        "added    friction     goal_drift: The goal moved. (by distance, from other)\n"
        "moments with another type now: 1; sessions changed: 1\n",
    )
    assert signals("schema", "accept", "p1") == (
        2,
        "",
        "signals: p1: was accepted as version 2, which is in force; signals schema rollback 1 goes "
        "back to before it\n",
    )


def test_a_facet_from_the_log_is_filled_by_the_next_runs_and_show_says_so(signals: Signals) -> None:
    pending = (
        "older sessions still to be read for this version: 1; signals evolve and signals run do "
        "it, within [facets]"
    )
    assert signals("schema", "accept", "p2")[1].splitlines()[-1] == pending
    assert signals("schema", "show")[1].splitlines()[-1] == pending
    assert _json(signals, "show")["pending_sessions"] == 1


@pytest.mark.slow
def test_show_says_that_prototypes_are_of_another_model(signals: Signals, tmp_path: Path) -> None:
    signals("schema", "accept", "p1")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "model.safetensors").write_bytes(b"y")
    settings = f'[embedding]\nmodel_dir = "{tmp_path / "newer"}"\n'
    (tmp_path / "home" / "signals.toml").write_text(settings)
    assert signals("schema", "show")[1].splitlines()[-1] == (
        "prototypes of another embedding model than the configured one: 1; nothing is inside them "
        "until it is configured again ([embedding] model_dir)"
    )


def test_everything_is_there_for_machines(signals: Signals) -> None:
    assert _json(signals, "accept", "p1") == {
        "proposal_id": "p1",
        "version": 2,
        "changes": [
            {"target": "friction", "name": "goal_drift", "kind": "added", "before": None,
             "after": "The goal moved. (by distance, from other)"}
        ],
        "moments": 1,
        "sessions": 1,
        "sessions_to_read": 0,
    }  # fmt: skip
    assert _json(signals, "reject", "p2") == {"proposal_id": "p2", "status": "rejected"}
    assert [change["kind"] for change in _json(signals, "diff", "2", "1")] == ["removed"]
    back = _json(signals, "rollback", "1")
    assert (back["version"], back["moments"], back["proposal_id"]) == (1, 1, None)
    states = {one["proposal_id"]: (one["status"], one["in_force"])
              for one in _json(signals, "proposals")}  # fmt: skip
    assert states == {"p1": ("accepted", False), "p2": ("rejected", False)}
    history = _json(signals, "history")
    keys = ("version", "base", "is_current", "in_force")
    assert [tuple(one[key] for key in keys) for one in history["versions"]] == [
        (1, None, True, True),
        (2, 1, False, False),
    ]
    assert [one["decision"] for one in history["decisions"]] == ["accept", "reject", "rollback"]


@pytest.mark.slow
def test_history_is_told_in_words(signals: Signals) -> None:
    signals("schema", "accept", "p1")
    signals("schema", "rollback", "1")
    told = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "THEN", signals("schema", "history")[1])
    assert told.splitlines() == [
        "   1  THEN  seed                                         current",
        "   2  THEN  proposal p1, from version 1                  not in force",
        "THEN  accept p1, by command: version 2; moments changed: 1, sessions: 1",
        "THEN  rollback, by command: version 1; moments changed: 1, sessions: 1",
    ]
    assert "p1  accepted on" in (shown := signals("schema", "proposals")[1])
    assert "rolled back since" in shown


def test_what_a_dashboard_decided_is_carried_out_before_a_verb_looks(
    signals: Signals, tmp_path: Path
) -> None:
    inbox = tmp_path / "home" / "inbox"
    (inbox / "schema-p1.json").write_text('{"decision": "accept"}')
    (inbox / "schema-p2.json").write_text("maybe")
    code, out, errors = signals("--json", "schema", "show")
    assert (code, json.loads(out)["version"]) == (0, 2)
    assert errors.startswith("Set aside in inbox/refused: schema-p2.json: is no decision (")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("accept", "p9"), 2, "p9: no open proposal of that id; open are: p1, p2"),
        (("rollback", "1"), 2, "schema version 1: is the current one already"),
        (("rollback", "7"), 2, "schema version 7: not there; stored are 1"),
        (("diff", "1", "2"), 2, "schema version 2: not there; stored are 1"),
    ],
    ids=["unknown", "current", "no-version", "no-other"],
)
def test_what_cannot_be_done_is_one_line(
    signals: Signals, arguments: tuple[str, ...], code: int, told: str
) -> None:
    assert signals("schema", *arguments) == (code, "", f"signals: {told}\n")
