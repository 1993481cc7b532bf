"""What is paid for once: two runs at a time, and batches that were begun before calls at once."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from agent_core.errors import JudgingHeldError, NotJudgedError
from judges.llm import LLMJudge
from pipelines.config import Config, JudgeConfig
from pipelines.context import Context
from pipelines.definitions import JOB_NAME, build_definitions
from pipelines.home import Home
from pipelines.job import prepare_dagster, run_job_in_process
from pipelines.judging import make_model_judge
from pipelines.stages.ingest import ingest
from pipelines.stages.model_judgements import judge_by_model, sessions_for_model
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.fake_openai import Answer, FakeOpenAI
from tests.fake_openai_batches import FakeBatches, Planned
from tests.judges.answers import find
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.sensor_daemon import Daemon
from tests.pipelines.stages.test_batches import EXPIRY, later

pytestmark = pytest.mark.filterwarnings(
    # Of Dagster and what it builds on, none of ours.
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
)


@pytest.fixture
def sessions(context: Context, tmp_path: Path) -> list[str]:
    """Three sessions that are read and selected."""
    names = ["s1", "s2", "s3"]
    for name in names:
        records = said(name, f"{name}-1", 0, f"Mend {name}."), answered(name, f"{name}-2", 1, "Ok.")
        write_log(tmp_path / "logs" / f"{name}.jsonl", *records)
    ingest(context, [tmp_path / "logs"])
    summarise_sessions(context)
    return names


def asking(context: Context, endpoint: FakeOpenAI, *, batch: bool = False) -> Context:
    section = JudgeConfig(
        base_url=endpoint.base_url, model="m", max_retries=0, concurrency=1, batch=batch
    )
    return replace(context, config=Config(judge=section))


def judged(context: Context) -> dict[str, int]:
    """One run by the model; counts without zeros."""
    counts = judge_by_model(context, make_model_judge(context))
    return {name: number for name, number in counts.items() if number}


def verdicts(context: Context) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        sql = "SELECT session_id, status, attempts FROM judgements JOIN sessions "
        return query(connection, f"{sql} USING (session_key) ORDER BY 1").rows()


def test_a_second_run_at_the_same_time_is_told_who_judges_and_pays_nothing(
    context: Context, sessions: list[str]
) -> None:
    told: list[str] = []

    class Asked(FakeOpenAI):
        """Another run begins while the first one's calls are on their way."""

        def _answers_for(self, request: Mapping[str, Any]) -> list[Answer]:
            with pytest.raises(JudgingHeldError) as raised:
                judged(asking(context, self))
            told.append(str(raised.value))
            return [find()]

    with Asked([]) as endpoint:
        assert judged(asking(context, endpoint))["judged"] == 3
        assert len(endpoint.requests) == 3
    assert {line.partition("(process")[0] for line in told} == {
        f"{context.home.root}: signals test "
    }
    assert verdicts(context) == [(name, "judged", 1) for name in sessions]


def test_a_run_that_chose_before_another_one_judged_asks_for_nothing(
    context: Context, sessions: list[str]
) -> None:
    with FakeOpenAI([find()] * 3) as endpoint:
        ready = asking(context, endpoint)
        judge: LLMJudge = make_model_judge(ready)
        chosen, _ = sessions_for_model(ready, judge.identity)
        judged(ready)
        counts = judge_by_model(ready, judge, chosen)
    assert {name: number for name, number in counts.items() if number} == {"changed_meanwhile": 3}
    assert verdicts(context) == [(name, "judged", 1) for name in sessions]


def test_a_lock_is_free_again_when_a_run_fails(context: Context) -> None:
    with pytest.raises(ZeroDivisionError), context.judging_alone():
        raise ZeroDivisionError
    with context.judging_alone(), pytest.raises(JudgingHeldError), context.judging_alone():
        raise AssertionError("two at a time")


def test_batches_are_collected_when_batch_is_turned_off(
    context: Context, sessions: list[str]
) -> None:
    plan = [Planned([find(), None, find()], expires_at=EXPIRY)]
    with FakeBatches(plan, script=[find()]) as endpoint:
        judged(asking(context, endpoint, batch=True))
        assert judged(asking(context, endpoint)) == {"pending": 3, "batches_open": 1}
        endpoint.end()
        counts = judged(asking(context, endpoint))
        assert (counts["judged"], counts["answers_reused"], counts["requests_failed"]) == (3, 2, 1)
        assert len(endpoint.requests) == 1, "the request without an answer alone"
        assert endpoint.files == {}
    assert verdicts(context) == [(name, "judged", 1) for name in sessions]
    with context.warehouse() as connection:
        assert query(connection, "FROM batch_requests").rows() == []


@pytest.mark.slow
def test_what_is_pending_at_an_endpoint_that_is_gone_is_judged_once_it_is_given_up(
    context: Context, sessions: list[str]
) -> None:
    with FakeBatches([Planned([None] * 3, expires_at=None)]) as endpoint:
        judged(asking(context, endpoint, batch=True))
    with FakeOpenAI([find()] * 3) as other:
        assert judged(asking(later(context, hours=47), other)) == {"pending": 3, "batches_open": 1}
        assert judged(asking(later(context, hours=49), other))["judged"] == 3


@pytest.fixture
def instance(context: Context) -> Any:
    prepare_dagster(context.home)
    with dg.DagsterInstance.from_config(str(context.home.dagster)) as instance:
        yield instance


def scheduled(home: Home, instance: dg.DagsterInstance) -> str | None:
    """Why the schedule skips; None where it asks for its run."""
    definitions = build_definitions(str(home.root))
    with dg.build_schedule_context(instance=instance) as context:
        data = definitions.resolve_schedule_def("daily").evaluate_tick(context)
    if data.run_requests:
        return None
    return str(data.skip_message)


def test_nothing_is_started_while_any_run_is_unfinished(
    context: Context, instance: dg.DagsterInstance
) -> None:
    home = context.home
    assert scheduled(home, instance) is None
    job = build_definitions(str(home.root)).resolve_job_def(JOB_NAME)
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    skipped = f"run {run.run_id} has not ended yet"
    assert scheduled(home, instance) == skipped
    for sensor in ("new_logs", "batches_done"):
        assert Daemon(home, instance, sensor).tick() == skipped
    instance.report_run_canceled(run)
    assert scheduled(home, instance) is None


@pytest.mark.slow
def test_a_run_beside_one_that_judges_leaves_the_model_to_it_and_publishes(
    context: Context, sessions: list[str], tmp_path: Path
) -> None:
    home = context.home
    home.config.write_text('[judge]\njudge = "llm"\nconsent = true\nidle_hours = 0\n'
                           'base_url = "http://127.0.0.1:9/v1"\n')  # fmt: skip
    with context.judging_alone(), suppress(NotJudgedError):
        run_job_in_process(home, [tmp_path / "logs"])
    with context.warehouse() as connection:
        sql = "SELECT counts ->> 'reason' FROM runs WHERE stage = ? AND status = 'failed'"
        (told,) = query(connection, sql, ["model"]).to_series()
        judges = query(connection, "SELECT judge, status, count(*) FROM judgements GROUP BY ALL")
    assert told.startswith(f"{home.root}: signals test (process ")
    assert judges.rows() == [("rules", "judged", 3)]
    assert (home.snapshots / "current").exists()


def test_a_batch_run_selects_anew_before_it_judges() -> None:
    definitions = build_definitions("/nowhere")
    chosen = definitions.resolve_job_def("signals_batches").asset_layer.selected_asset_keys
    names = {key.to_user_string() for key in chosen}
    assert {"sessions", "judgements", "snapshot"} <= names
    assert "ingest" not in names
