"""What Dagster's daemon does with a sensor, over a real home and a real instance."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pipelines.definitions import SignalsHome, build_definitions
from pipelines.home import Home
from pipelines.job import prepare_dagster


class Daemon:
    """Keeps the sensor's cursor and launches the runs that it asks for."""

    def __init__(self, home: Home, instance: dg.DagsterInstance, sensor: str) -> None:
        self.instance = instance
        self.run_keys: list[str] = []
        self._name = sensor
        self._definitions = build_definitions(str(home.root))
        self._sensor = self._definitions.resolve_sensor_def(sensor)
        self._resources = {"signals": SignalsHome(home=str(home.root))}
        self._cursor: str | None = None

    def tick(self) -> str | None:
        """The reason to skip; None where the sensor asked for a run."""
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self._cursor,
            definitions=self._definitions,
            resources=self._resources,
            sensor_name=self._name,
        ) as context:
            data = self._sensor.evaluate_tick(context)
        if data.skip_message:
            return str(data.skip_message)
        (asked,) = data.run_requests or ()
        self.run_keys.append(str(asked.run_key))
        self._cursor = data.cursor
        return None

    def launch(self, job: str, *assets: str) -> bool:
        """Execute these assets of the run that was asked for; whether they succeeded."""
        return (
            self._definitions.resolve_job_def(job)
            .execute_in_process(
                instance=self.instance,
                tags=self._tags(),
                asset_selection=[dg.AssetKey(name) for name in assets],
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
            )
            .success
        )

    def queue(self, job: str, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """Leave the run that was asked for where the daemon has not launched it yet."""
        found = self._definitions.resolve_job_def(job)
        return self.instance.create_run_for_job(found, tags=self._tags(), status=status)

    def _tags(self) -> dict[str, str]:
        tags = {"dagster/sensor_name": self._name}
        return tags | ({"dagster/run_key": self.run_keys[-1]} if self.run_keys else {})


@contextmanager
def daemon_of(home: Home, sensor: str) -> Iterator[Daemon]:
    """The daemon of a home, for one of its sensors."""
    prepare_dagster(home)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        yield Daemon(home, instance, sensor)
