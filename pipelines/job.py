"""Run the whole loop as the Dagster job, in this process."""

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from agent_core.errors import SignalsError
from pipelines.definitions import JOB_NAME, build_definitions
from pipelines.home import Home

_DAGSTER_YAML = "telemetry: {enabled: false}\nnux: {enabled: false}\n"


def run_job_in_process(home: Home, paths: Sequence[Path] = ()) -> str:
    """Execute the job on `paths` and return its run id.

    Raises the error that stopped it, not Dagster's; KeyboardInterrupt where a person did.
    """
    prepare_dagster(home)
    job = build_definitions(str(home.root)).resolve_job_def(JOB_NAME)
    run_config = {
        "ops": {"ingest": {"config": {"paths": [str(path.absolute()) for path in paths]}}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        try:
            result = job.execute_in_process(run_config=run_config, instance=instance)
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
        except dg.DagsterError as error:
            raise _cause(error) from error
    return result.run_id


def prepare_dagster(home: Home) -> None:
    """Give Dagster its own folder in the home, with telemetry off."""
    settings = home.dagster / "dagster.yaml"
    if not settings.exists():
        settings.write_text(_DAGSTER_YAML)
    os.environ["DAGSTER_HOME"] = str(home.dagster)


def _cause(error: BaseException) -> BaseException:
    """The first error of ours in the chain of causes, else the innermost."""
    found: BaseException | None = error
    inner = error
    while found is not None and not isinstance(found, SignalsError):
        inner = found
        found = found.__cause__ or getattr(found, "user_exception", None)
    return found or inner
