"""What a stage is given: the home, the configuration, the run and the clock."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import duckdb

from pipelines.config import Config
from pipelines.home import Home
from pipelines.progress import show_progress
from pipelines.warehouse import open_warehouse

Progress = Callable[[str, int, int], None]
"""Called with (what, done, total); total 0 where it is not known."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """Passed to every stage; holds no open connection."""

    home: Home
    config: Config
    run_id: str
    verb: str
    clock: Callable[[], datetime] = _utc_now
    progress: Progress = show_progress

    def with_batch(self) -> "Context":
        """The same with `[judge] batch = true`."""
        judge = self.config.judge.model_copy(update={"batch": True})
        return replace(self, config=self.config.model_copy(update={"judge": judge}))

    @contextmanager
    def warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse under the home's lock: for seconds, never across a model call."""
        with self.home.locked(f"signals {self.verb}"), open_warehouse(self.home.warehouse) as open_:
            yield open_

    def judging_alone(self) -> AbstractContextManager[None]:
        """The home's paid judging, for this run alone. Raises JudgingHeldError."""
        return self.home.judging_alone(f"signals {self.verb}")


def new_run_id(now: datetime) -> str:
    """A run id that sorts by time, such as `20261120T191500123456`."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%f")
