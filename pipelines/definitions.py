"""Dagster definitions: the stages as assets, a daily schedule, sensors for new logs and for
batches of a model that have ended, checks.

The home is named by SIGNALS_HOME. Steps run in one process, one after the other: the warehouse
has one writer.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Self

import dagster as dg
from pydantic import Field

from agent_core.errors import BadInputError
from pipelines import loop
from pipelines.batch_polling import poll_batches
from pipelines.config import load_config
from pipelines.context import Context
from pipelines.home import Home
from pipelines.known_folders import log_folders
from pipelines.listing import fingerprint
from pipelines.runs import run_stage
from pipelines.sources import find_files

JOB_NAME = "signals_run"


class SignalsHome(dg.ConfigurableResource[Context]):
    """The home that a run works on."""

    home: str

    def context_of(self, run_id: str) -> Context:
        """The context of a run in this home."""
        home = Home(Path(self.home).expanduser()).prepare()
        return Context(home, load_config(home.config), run_id, "run")


class IngestConfig(dg.Config):
    """What a run reads; empty: the known log folders of this user."""

    paths: list[str] = Field(default_factory=list)


@dg.asset(group_name="sessions", description=loop.ingest_logs.__doc__)
def ingest(
    context: dg.AssetExecutionContext, config: IngestConfig, signals: SignalsHome
) -> dg.MaterializeResult[None]:
    run = signals.context_of(context.run.run_id)
    paths = [Path(path) for path in config.paths]
    counts = run_stage(run, "ingest", lambda: loop.ingest_logs(run, paths))
    return dg.MaterializeResult(metadata=counts)


def _stage_asset(
    stage: Callable[[Context], Mapping[str, int]], group: str, after: list[str]
) -> dg.AssetsDefinition:
    @dg.asset(name=stage.__name__, group_name=group, deps=after, description=stage.__doc__)
    def wrapped(
        context: dg.AssetExecutionContext, signals: SignalsHome
    ) -> dg.MaterializeResult[None]:
        run = signals.context_of(context.run.run_id)
        counts = run_stage(run, stage.__name__, lambda: stage(run))
        return dg.MaterializeResult(metadata=counts)

    return wrapped


_ASSETS = [
    ingest,
    _stage_asset(loop.sessions, "sessions", ["ingest"]),
    _stage_asset(loop.judgements, "verdicts", ["sessions"]),
    _stage_asset(loop.moments, "verdicts", ["judgements"]),
    _stage_asset(loop.embeddings, "facets", ["moments"]),
    _stage_asset(loop.decisions, "facets", ["embeddings"]),
    _stage_asset(loop.types, "facets", ["decisions"]),
    _stage_asset(loop.clusters, "facets", ["types"]),
    _stage_asset(loop.gaps, "facets", ["clusters"]),
    _stage_asset(loop.facets, "facets", ["gaps"]),
    _stage_asset(loop.measures, "facets", ["facets"]),
    _stage_asset(loop.quantities, "facets", ["measures"]),
    _stage_asset(loop.acceptance, "facets", ["quantities"]),
    _stage_asset(loop.drift, "facets", ["acceptance"]),
    # A breach is one of a type of the schema, not of the judge.
    _stage_asset(loop.breaches, "repair", ["acceptance"]),
    _stage_asset(loop.patch_tasks, "repair", ["breaches"]),
    _stage_asset(loop.effects, "repair", ["patch_tasks"]),
    _stage_asset(loop.snapshot, "published", ["drift", "effects"]),
    # Last, so that a model that cannot be had keeps nothing of the rules from being published.
    _stage_asset(loop.model_verdicts, "verdicts", ["snapshot"]),
]


def _check(run: Context, sql: str) -> dg.AssetCheckResult:
    with run.warehouse() as connection:
        found = int(connection.execute(sql).fetchall()[0][0])
    return dg.AssetCheckResult(passed=found == 0, metadata={"found": found})


@dg.asset_check(asset="sessions", description="No step counts in two sessions.")
def each_step_counts_once(
    context: dg.AssetCheckExecutionContext, signals: SignalsHome
) -> dg.AssetCheckResult:
    return _check(
        signals.context_of(context.run.run_id),
        """
        SELECT count(*) FROM (
            SELECT content_id FROM steps JOIN sessions USING (session_key)
            WHERE content_id IS NOT NULL AND NOT is_copied_context AND conversion_of IS NULL
            GROUP BY content_id HAVING count(DISTINCT session_key) > 1)
        """,
    )


@dg.asset_check(asset="moments", blocking=True, description="Every moment is at a step there is.")
def moments_point_at_steps(
    context: dg.AssetCheckExecutionContext, signals: SignalsHome
) -> dg.AssetCheckResult:
    return _check(
        signals.context_of(context.run.run_id),
        "SELECT count(*) FROM moments ANTI JOIN steps USING (session_key, source_ref)",
    )


@dg.asset_check(asset="judgements", description="Every selected session has a verdict or a reason.")
def coverage_adds_up(
    context: dg.AssetCheckExecutionContext, signals: SignalsHome
) -> dg.AssetCheckResult:
    return _check(
        signals.context_of(context.run.run_id),
        """
        SELECT count(*) FROM sessions WHERE exclusion IS NULL AND NOT EXISTS (
            FROM judgements WHERE judgements.session_key = sessions.session_key
                AND judgements.content_hash = sessions.content_hash)
        """,
    )


run_job = dg.define_asset_job(
    JOB_NAME, selection=dg.AssetSelection.all(), description="The whole loop, once."
)
BATCHES_JOB_NAME = "signals_batches"
batches_job = dg.define_asset_job(
    BATCHES_JOB_NAME,
    selection=dg.AssetSelection.assets("sessions").downstream(),
    description="Selects anew, collects the batches that have ended, and goes on from there.",
)
_ATTEMPTS = 3
_DEAD_AFTER = timedelta(hours=12)
_RUN_KEY_TAG = "dagster/run_key"
_FAILED = [dg.DagsterRunStatus.FAILURE]
_ENDED = [*_FAILED, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED]
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class _Asked(NamedTuple):
    """What a sensor asked for last: its cursor."""

    seen: str
    attempt: int

    @classmethod
    def of(cls, cursor: str | None) -> Self:
        seen, _, attempt = (cursor or "").partition(" ")
        return cls(seen, int(attempt) if attempt.isdecimal() else 1)

    @property
    def cursor(self) -> str:
        return f"{self.seen} {self.attempt}"

    @property
    def run_key(self) -> str:
        return f"{self.seen}-{self.attempt}"


@dg.schedule(
    job=run_job,
    cron_schedule="0 5 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A run a day, unless one is on its way: the work and the model's answers are paid for once."""
    return _unfinished(context.instance) or dg.RunRequest()


@dg.sensor(
    job=run_job,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def new_logs(
    context: dg.SensorEvaluationContext, signals: SignalsHome
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run when the log folders hold something new; reads listings only.

    One run at a time: what grows meanwhile is asked for when it has ended. A run that failed is
    asked for again, three times in all.
    """
    if unfinished := _unfinished(context.instance):
        return unfinished
    home = Home(Path(signals.home).expanduser()).prepare()
    try:
        found = find_files(log_folders(load_config(home.config).sources, home.sessions))
    except BadInputError as error:
        return dg.SkipReason(str(error))
    nothing_new = f"nothing new in {len(found)} files"
    return _ask_once(context, fingerprint(found), nothing_new, "files", again_after=_FAILED)


@dg.sensor(
    job=batches_job,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def batches_done(
    context: dg.SensorEvaluationContext, signals: SignalsHome
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run when a batch has ended; reads the home's state and asks the endpoint.

    Once for what has ended; where a run has left it open it is asked for three times in all.
    """
    if unfinished := _unfinished(context.instance):
        return unfinished
    polled = poll_batches(Home(Path(signals.home).expanduser()).prepare())
    if not polled.ended:
        return dg.SkipReason(polled.words)
    ended = hashlib.sha256("\n".join(sorted(polled.ended)).encode()).hexdigest()
    # A run that could not reach the endpoint ends well, and the batch is open as before.
    return _ask_once(context, ended, "a run was asked for", "batches", again_after=_ENDED)


def _ask_once(
    context: dg.SensorEvaluationContext,
    seen: str,
    nothing_new: str,
    what: str,
    *,
    again_after: list[dg.DagsterRunStatus],
) -> dg.SensorResult | dg.SkipReason:
    """A run for what is `seen`, unless one was asked for that did not end in `again_after`."""
    last, asked = _Asked.of(context.cursor), _Asked(seen, 1)
    if seen == last.seen:
        if not _runs(context.instance, again_after, {_RUN_KEY_TAG: last.run_key}):
            return dg.SkipReason(nothing_new)
        if last.attempt >= _ATTEMPTS:
            return dg.SkipReason(f"{_ATTEMPTS} runs on these {what} failed; see their logs")
        asked = _Asked(seen, last.attempt + 1)
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=asked.run_key)], cursor=asked.cursor)


def _unfinished(instance: dg.DagsterInstance) -> dg.SkipReason | None:
    """Why nothing is to be started now: each run, whoever asked for it, judges and may pay."""
    found = _runs(instance, _UNFINISHED, {})
    return dg.SkipReason(f"run {found[0].run_id} has not ended yet") if found else None


def _runs(
    instance: dg.DagsterInstance, statuses: list[dg.DagsterRunStatus], tags: dict[str, str]
) -> Sequence[dg.DagsterRun]:
    # A run whose process was killed never ends for Dagster: after a while it counts as dead.
    since = datetime.now(UTC) - _DEAD_AFTER if statuses is _UNFINISHED else None
    filters = dg.RunsFilter(statuses=statuses, tags=tags, updated_after=since)
    return instance.get_runs(filters, limit=1)


def build_definitions(home: str | dg.EnvVar) -> dg.Definitions:
    """All definitions, over the home named."""
    return dg.Definitions(
        assets=_ASSETS,
        asset_checks=[each_step_counts_once, moments_point_at_steps, coverage_adds_up],
        jobs=[run_job, batches_job],
        schedules=[daily],
        sensors=[new_logs, batches_done],
        resources={"signals": SignalsHome(home=home)},
        executor=dg.in_process_executor,
    )
