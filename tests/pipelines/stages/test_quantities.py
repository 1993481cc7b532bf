"""Stage `quantities`: from measured and judged sessions to proposals of count facets."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import polars as pl
import pytest

from facets.measures import MEASURES, MEASURES_VERSION
from pipelines.config import Config
from pipelines.context import Context
from pipelines.home import Home
from pipelines.schemas import ensure_schema
from pipelines.stages.quantities import propose_quantities
from pipelines.warehouse import query, replace_rows
from tests.pipelines.conftest import NOW
from tests.pipelines.schema_world import copy_of

_SESSIONS = 300


def _fill(connection: duckdb.DuckDBPyConnection, *, effect: float, seed: int = 3) -> None:
    """Judged sessions of one person, in which `undo_commands` goes with friction as told."""
    rng = np.random.default_rng(seed)
    turns = rng.integers(1, 8, size=_SESSIONS)
    undone = rng.poisson(1.0, size=_SESSIONS)
    odds = -1.6 + effect * (np.log1p(undone) - 0.6)
    hits = rng.binomial(turns, 1 / (1 + np.exp(-odds)))
    measured = {
        "undo_commands": undone,
        "searches": rng.poisson(3.0, size=_SESSIONS),
        "branch_switches": undone,
        "longest_failure_run": rng.poisson(1.0, size=_SESSIONS),
    }
    keys = [f"s{number:03}" for number in range(_SESSIONS)]
    replace_rows(connection, "sessions", _sessions(keys, turns))
    replace_rows(connection, "judgements", _judgements(keys))
    replace_rows(connection, "moments", _moments(keys, hits))
    for name, values in measured.items():
        replace_rows(connection, "session_measures", _measures(keys, name, values))


def _sessions(keys: list[str], turns: Any) -> pl.DataFrame:
    return pl.DataFrame({"session_key": keys, "session_id": keys, "person_turns": turns}).select(
        pl.all(), format=pl.lit("f"), source_path=pl.lit("log"), agent=pl.lit("a"),
        user_id=pl.lit("ada"), project=pl.lit("p"), is_autonomous=pl.lit(False),
        is_simulated_user=pl.lit(False), first_seen=pl.lit(NOW), day=pl.lit(NOW.date()),
        steps=pl.col("person_turns") * 4, content_hash=pl.lit("hash"),
    )  # fmt: skip


def _judgements(keys: list[str]) -> pl.DataFrame:
    words = ("judge", "judge_version", "prompt_version", "model", "rubric_version", "summary")
    return pl.DataFrame({"judgement_id": keys, "session_key": keys}).select(
        pl.all(), *(pl.lit("rules").alias(word) for word in words), content_hash=pl.lit("hash"),
        status=pl.lit("judged"), attempts=1, facets=pl.lit("{}"), moments=pl.lit("[]"),
        turns=pl.lit("[]"), tokens_sent=0, tokens_received=0, judged_at=pl.lit(NOW),
        current=pl.lit(True),
    )  # fmt: skip


def _moments(keys: list[str], hits: Any) -> pl.DataFrame:
    """A correction in each rough turn; and everywhere an error that nobody complained of."""
    rough = [(k, f"t{n}", "correction") for k, h in zip(keys, hits, strict=True) for n in range(h)]
    quiet = [(key, "t9", "error_event") for key in keys]
    frame = pl.DataFrame(rough + quiet, schema=["session_key", "turn_ref", "type"], orient="row")
    return frame.select(
        pl.all(), moment_id=pl.concat_str("session_key", "turn_ref", "type"),
        judgement_id="session_key", source_ref="turn_ref", judged_type="type",
        polarity=pl.lit("friction"), severity=pl.lit("low"), confidence=0.9,
        descriptor=pl.lit("d"), citation=pl.lit("c"), evidence=pl.lit([], pl.List(pl.String)),
    )  # fmt: skip


def _measures(keys: list[str], name: str, values: Any) -> pl.DataFrame:
    return pl.DataFrame({"session_key": keys, "value": values.astype(float)}).select(
        pl.all(), measure=pl.lit(name), content_hash=pl.lit("hash"),
        version=pl.lit(MEASURES_VERSION, pl.Int64),
    )  # fmt: skip


def _proposals(context: Context) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return connection.execute(
            "SELECT kind, target, name, status, run_id FROM schema_proposals"
        ).fetchall()


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A home in which what was undone goes with friction."""
    home = Home(tmp_path_factory.mktemp("filled") / "home").prepare()
    context = Context(home, Config(), "run-1", "test", lambda: NOW)
    with context.warehouse() as connection:
        ensure_schema(connection, NOW - timedelta(days=1))
        _fill(connection, effect=1.5)
    return context


@pytest.fixture
def filled(filled_once: Context, tmp_path: Path) -> Context:
    """The same in a home of its own."""
    return copy_of(filled_once, tmp_path)


def test_a_quantity_that_explains_friction_is_proposed_as_a_count_facet(filled: Context) -> None:
    assert propose_quantities(filled) == {
        "quantities": 3,
        "quantities_tested": 2,
        "proposals": 1,
        "proposals_new": 1,
    }
    assert _proposals(filled) == [("new_facet", "undo_commands", "undo_commands", "open", "run-1")]
    with filled.warehouse() as connection:
        ((document, evidence),) = connection.execute(
            "SELECT facet, evidence FROM schema_proposals"
        ).fetchall()
        rows = query(connection, "SELECT measure, reason FROM quantity_tests ORDER BY measure")
    assert orjson.loads(document) == {
        "name": "undo_commands",
        "type": "count",
        "definition": MEASURES["undo_commands"].definition,
        "provenance": "log",
        "rule": "undo_commands",
    }
    figures = orjson.loads(evidence)
    assert figures["sessions_tested"] == _SESSIONS
    assert 1 < figures["odds_low"] < figures["odds_ratio"] < figures["odds_high"]
    assert figures["q_value"] < 0.05
    assert figures["log_loss_gain"] > 0
    # What the schema has (branch switches) is known; what the rules judge by is no candidate.
    assert rows.rows() == [
        ("longest_failure_run", "rules judge by it, and models judged too few sessions"),
        ("searches", "it goes with friction no more than chance has it"),
        ("undo_commands", None),
    ]


def test_what_a_count_facet_explains_already_is_not_proposed(filled: Context) -> None:
    """The schema's `branch_switches` goes along with what was undone, session by session."""
    with filled.warehouse() as connection:
        connection.execute(
            "INSERT INTO facet_values BY NAME SELECT session_key, 1 AS schema_version, measure AS "
            "facet, to_json(value::BIGINT) AS value, 'log' AS provenance, session_key AS "
            "judgement_id FROM session_measures WHERE measure = 'branch_switches'"
        )
    assert propose_quantities(filled)["proposals"] == 0


def test_a_rejected_quantity_does_not_return(filled: Context) -> None:
    propose_quantities(filled)
    with filled.warehouse() as connection:
        connection.execute("UPDATE schema_proposals SET status = 'rejected'")
    assert propose_quantities(filled)["proposals_new"] == 0
    assert [row[3] for row in _proposals(filled)] == ["rejected"]


def test_nothing_is_proposed_where_nothing_explains_friction(context: Context) -> None:
    nothing = {"quantities": 0, "quantities_tested": 0, "proposals": 0, "proposals_new": 0}
    assert propose_quantities(context) == nothing
    with context.warehouse() as connection:
        _fill(connection, effect=0.0)
    assert propose_quantities(context)["proposals"] == 0
    assert _proposals(context) == []
