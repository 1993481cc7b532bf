"""The Dagster job over real files in a real home: assets, checks, schedule."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import BadInputError, NotJudgedError, WarehouseError
from pipelines.definitions import JOB_NAME, build_definitions
from pipelines.home import Home
from pipelines.job import run_job_in_process
from pipelines.warehouse import open_warehouse, query
from tests.pipelines.claude_log import answered, said, write_log

pytestmark = pytest.mark.filterwarnings(
    # Of Dagster and what it builds on, none of ours.
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
)

_STAGES = [
    "acceptance",
    "breaches",
    "clusters",
    "decisions",
    "drift",
    "effects",
    "embeddings",
    "facets",
    "gaps",
    "ingest",
    "judgements",
    "measures",
    "model_verdicts",
    "moments",
    "patch_tasks",
    "quantities",
    "sessions",
    "snapshot",
    "types",
]


def _write(folder: Path) -> Path:
    return write_log(
        folder / "a.jsonl",
        said("s1", "u1", 0, "Add a test for the parser."),
        answered("s1", "u2", 1, "Done, the test is there and passes."),
        said("s1", "u3", 2, "No, that is wrong, it still fails. Undo it."),
        answered("s1", "u4", 3, "Undone."),
    )


def _rows(home: Home, sql: str) -> list[tuple[Any, ...]]:
    with open_warehouse(home.warehouse) as connection:
        return query(connection, sql).rows()


@pytest.mark.slow
def test_the_job_goes_from_logs_to_a_snapshot_and_again_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    _write(tmp_path / "logs")
    for _ in range(2):
        run_id = run_job_in_process(home, [tmp_path / "logs"])
        stages = f"SELECT stage FROM runs WHERE run_id = '{run_id}' AND status = 'done' ORDER BY 1"
        assert [stage for (stage,) in _rows(home, stages)] == _STAGES
        assert json.loads((home.snapshots / "current").read_text())["run_id"] == run_id
        assert _rows(home, "SELECT status, count(*) FROM judgements GROUP BY 1") == [("judged", 1)]
    friction = "SELECT DISTINCT source_ref FROM moments WHERE polarity = 'friction'"
    assert _rows(home, friction) == [("u3",)]


def test_an_error_of_ours_comes_out_of_dagster_as_itself(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    with pytest.raises(BadInputError, match="no-such"):
        run_job_in_process(home, [tmp_path / "no-such"])
    home.warehouse.write_bytes(b"garbage" * 4096)
    with pytest.raises(WarehouseError, match="move the file away"):
        run_job_in_process(home, [_write(tmp_path / "logs")])


def test_the_graph_is_the_way_of_the_data() -> None:
    graph = build_definitions("/nowhere").resolve_asset_graph()
    parents = {
        node.key.to_user_string(): sorted(key.to_user_string() for key in node.parent_keys)
        for node in graph.asset_nodes
    }
    assert parents == {
        "ingest": [],
        "sessions": ["ingest"],
        "judgements": ["sessions"],
        "moments": ["judgements"],
        "embeddings": ["moments"],
        "decisions": ["embeddings"],
        "types": ["decisions"],
        "clusters": ["types"],
        "gaps": ["clusters"],
        "facets": ["gaps"],
        "measures": ["facets"],
        "quantities": ["measures"],
        "acceptance": ["quantities"],
        "drift": ["acceptance"],
        "breaches": ["acceptance"],
        "patch_tasks": ["breaches"],
        "effects": ["patch_tasks"],
        "snapshot": ["drift", "effects"],
        "model_verdicts": ["snapshot"],
    }


@pytest.mark.slow
def test_what_the_rules_say_is_published_where_the_model_cannot_be_had(tmp_path: Path) -> None:
    """The endpoint is down: the run fails in its last stage, with the reason."""
    home = Home(tmp_path / "home").prepare()
    home.config.write_text(
        '[judge]\njudge = "cascade"\nbase_url = "http://127.0.0.1:9/v1"\nconsent = true\n'
        "idle_hours = 0\nmax_retries = 0\n"
    )
    with pytest.raises(NotJudgedError, match=r"the model did not judge: .* cannot be reached"):
        run_job_in_process(home, [_write(tmp_path / "logs")])
    assert json.loads((home.snapshots / "current").read_text())["run_id"]
    assert _rows(home, "SELECT judge, status FROM judgements") == [("rules", "judged")]
    assert _rows(home, "SELECT count(*) > 0 FROM moments") == [(True,)]
    stages = "SELECT stage, status, counts ->> 'error' FROM runs WHERE status <> 'done' ORDER BY 1"
    assert _rows(home, stages) == [
        ("model", "failed", "ModelError"),
        ("model_verdicts", "failed", "NotJudgedError"),
    ]
    counts = "SELECT counts ->> 'model_failed' FROM runs WHERE stage = 'judgements'"
    assert _rows(home, counts) == [("1",)]


def test_the_schedule_is_daily() -> None:
    schedule = build_definitions("/nowhere").resolve_schedule_def("daily")
    assert (schedule.job_name, schedule.cron_schedule) == (JOB_NAME, "0 5 * * *")


@pytest.mark.slow
def test_a_moment_without_its_step_blocks_publishing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    _write(tmp_path / "logs")
    run_job_in_process(home, [tmp_path / "logs"])
    with open_warehouse(home.warehouse) as connection:
        connection.execute("UPDATE moments SET source_ref = 'gone'")
    before = (home.snapshots / "current").read_text()
    job = build_definitions(str(home.root)).resolve_job_def(JOB_NAME)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = job.execute_in_process(
            run_config={"ops": {"ingest": {"config": {"paths": [str(tmp_path / "logs")]}}}},
            raise_on_error=False,
        )
    assert not result.success
    assert (home.snapshots / "current").read_text() == before
