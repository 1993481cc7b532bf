"""From the shipped sample sessions to breaches, tasks, clusters and facets, stage by stage."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import loop
from pipelines.config import Config, ThresholdsConfig
from pipelines.context import Context, new_run_id
from pipelines.home import Home
from pipelines.schemas import current_schema
from pipelines.stages.ingest import ingest
from pipelines.stages.provenance import UNVERIFIED, register_core_logs
from pipelines.tasks import list_tasks, move_task
from pipelines.warehouse import query
from tests.pipelines.conftest import NOW

pytestmark = pytest.mark.slow

_STAGES = (
    loop.sessions,
    loop.judgements,
    loop.moments,
    *loop.EVOLUTION,
    loop.breaches,
    loop.patch_tasks,
    loop.snapshot,
)


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Context:
    """A home after one run over the samples."""
    home = Home(tmp_path_factory.mktemp("looped") / "home").prepare()
    context = Context(home, Config(), new_run_id(NOW), "test", lambda: NOW)
    samples = repository / "data" / "samples" / "sessions"
    register_core_logs(
        home, [hashlib.sha256(path.read_bytes()).hexdigest() for path in samples.glob("*.json")]
    )
    ingest(context, [samples])
    loop.run_stages(context, *_STAGES)
    return context


def _rows(context: Context, sql: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


def test_both_planted_defects_are_breaches_at_their_tool(looped: Context) -> None:
    found = _rows(looped, "SELECT tool, error_class, type FROM breaches WHERE kind = 'error'")
    assert sorted(found) == [
        ("edit_file", "no_match", "error_event"),
        ("run_command", "timeout", "error_event"),
    ]


def test_each_defect_has_one_task_and_its_consequences_join_them(looped: Context) -> None:
    tasks = _rows(looped, "SELECT task_id, tool, error_class, state FROM patch_tasks ORDER BY tool")
    assert [row[1:] for row in tasks] == [
        ("edit_file", "no_match", "open"),
        ("run_command", "timeout", "open"),
    ]
    assert _rows(looped, "SELECT count(*) FROM breaches WHERE task_id IS NULL") == [(0,)]
    joined = {row[0] for row in _rows(looped, "SELECT DISTINCT task_id FROM breaches")}
    assert joined == {row[0] for row in tasks}


def test_a_task_tells_what_the_agent_needs_and_quotes_nobody(looped: Context) -> None:
    (text,) = _rows(looped, "SELECT task FROM patch_tasks WHERE tool = 'edit_file'")
    task = json.loads(text[0])
    assert task["evidence"][0].startswith("10 of 27 sessions of release ")
    assert len(task["affected_sessions"]) == 10
    assert task["error_signatures"]
    turns = [row[0] for row in _rows(looped, "SELECT text FROM steps WHERE is_person")]
    assert not [turn for turn in turns if len(turn) > 20 and turn in text[0]]


def test_samples_that_nobody_vouched_for_open_no_task(context: Context, repository: Path) -> None:
    """Whoever writes such logs into a user's folder steers nothing."""
    ingest(context, [repository / "data" / "samples" / "sessions"])
    counts = loop.run_stages(context, *_STAGES)
    assert counts["breaches"]["breaches"] == 11
    assert counts["patch_tasks"]["opened"] == 0
    assert {row[0] for row in _rows(context, "SELECT DISTINCT agent FROM sessions")} == {UNVERIFIED}


def test_a_second_look_opens_nothing_and_moves_nothing(looped: Context) -> None:
    tables = ("patch_tasks", "task_transitions", "judgements", "moments", "facet_values",
              "embeddings", "schema_proposals")  # fmt: skip
    told = "SELECT * EXCLUDE run_id FROM"  # a proposal says which run found it last
    queries = {name: f"SELECT * FROM {name} ORDER BY ALL" for name in tables}
    queries["schema_proposals"] = f"{told} schema_proposals ORDER BY ALL"
    before = {name: _rows(looped, sql) for name, sql in queries.items()}
    later = replace(looped, run_id="later", clock=lambda: NOW + timedelta(minutes=1))
    counts = loop.run_stages(later, *_STAGES)
    assert not any(counts["patch_tasks"].values())
    assert counts["embeddings"]["embedded"] == 0
    assert counts["types"]["relabelled"] == 0
    assert counts["facets"] == {
        "sessions_read": 0, "backfilled": 0, "pending": 0, "values_told": 0
    }  # fmt: skip
    after = {name: _rows(looped, sql) for name, sql in queries.items()}
    assert after == before


def test_a_rejected_task_cools_down(looped: Context) -> None:
    """Its breach is not made a task again at once."""
    copy = _copy(looped, "cooling")
    with copy.warehouse() as connection:
        task = next(task for task in list_tasks(connection) if task.tool == "run_command")
        move_task(connection, task.task_id, "rejected", "not now", NOW)
        connection.execute("UPDATE breaches SET task_id = NULL WHERE tool = 'run_command'")
    counts = loop.patch_tasks(copy)
    assert (counts["opened"], counts["joined"]) == (0, 0)
    assert counts["cooling_down"] >= 1


def test_a_breach_of_a_foreign_agent_waits_for_a_target(looped: Context) -> None:
    copy = _copy(looped, "foreign")
    with copy.warehouse() as connection:
        connection.execute("UPDATE breaches SET agent = 'claude-code', task_id = NULL")
    counts = loop.patch_tasks(copy)
    assert (counts["opened"], counts["without_target"]) == (0, 11)


def test_a_breach_that_is_over_opens_nothing(looped: Context) -> None:
    copy = _copy(looped, "over")
    with copy.warehouse() as connection:
        connection.execute("UPDATE breaches SET task_id = NULL, run_id = 'long ago'")
        connection.execute("DELETE FROM patch_tasks")
    assert loop.patch_tasks(copy)["opened"] == 0


def test_a_rejected_cause_takes_no_consequences(looped: Context) -> None:
    """With both exact tasks rejected, the rise of corrections is a task of its own."""
    copy = _copy(looped, "rejected")
    with copy.warehouse() as connection:
        for task in list_tasks(connection):
            move_task(connection, task.task_id, "rejected", "not now", NOW)
        connection.execute("UPDATE breaches SET task_id = NULL WHERE type = 'correction'")
    counts = loop.patch_tasks(copy)
    assert (counts["opened"], counts["joined"]) == (1, 1)  # a cluster of corrections goes with them


def test_in_team_mode_a_task_tells_what_many_share_only(looped: Context) -> None:
    copy = replace(_copy(looped, "team"), config=Config(mode="team"))
    with copy.warehouse() as connection:
        connection.execute("UPDATE breaches SET task_id = NULL")
        connection.execute("DELETE FROM patch_tasks")
    loop.patch_tasks(copy)
    evidence = [
        json.loads(task)["evidence"] for (task,) in _rows(copy, "SELECT task FROM patch_tasks")
    ]
    assert evidence
    for first, *rest in evidence:
        assert first.split(" ")[1] == "of"
        seen = [text for text in rest if not text.startswith("the rate most probably rose")]
        assert all(int(text.rsplit("(", 1)[1].split(" ")[0]) >= 5 for text in seen)


def test_floors_hold_for_breaches(looped: Context) -> None:
    copy = _copy(looped, "floors")
    config = Config(thresholds=ThresholdsConfig(min_users=8))
    assert loop.breaches(replace(copy, config=config))["patterns_tested"] == 0


def test_clusters_are_of_abstract_texts_and_noise_stays_noise(looped: Context) -> None:
    kinds = {row[0] for row in _rows(looped, "SELECT DISTINCT kind FROM cluster_members")}
    assert kinds >= {"friction", "delight", "session"}
    stray = "FROM cluster_members ANTI JOIN clusters USING (kind, cluster) WHERE cluster <> -1"
    assert _rows(looped, f"SELECT count(*) {stray}") == [(0,)]
    assert _rows(looped, "SELECT count(*) > 1 FROM clusters WHERE kind = 'friction'") == [(True,)]


def test_every_judged_session_has_every_facet(looped: Context) -> None:
    with looped.warehouse() as connection:
        facets = len(current_schema(connection).facets)
    assert _rows(looped, "SELECT DISTINCT count(*) FROM facet_values GROUP BY session_key") == [
        (facets,)
    ]
    languages = "SELECT DISTINCT value FROM facet_values WHERE facet = 'programming_languages'"
    assert ('["python"]',) in _rows(looped, languages)


def _copy(context: Context, name: str) -> Context:
    """The same warehouse in a home of its own, for a test to change."""
    home = Home(context.home.root.parent / name).prepare()
    with context.warehouse() as connection:
        connection.execute("CHECKPOINT")
    home.warehouse.write_bytes(context.home.warehouse.read_bytes())
    return replace(context, home=home)
