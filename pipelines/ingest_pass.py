"""Passes of ingest over some paths, each with its report: what the verb `ingest` does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines import loop
from pipelines.context import Context
from pipelines.ingest_report import IngestReport, read_report
from pipelines.runs import run_stage
from pipelines.stages.ingest import ingest


@dataclass
class IngestPasses:
    """The passes of one run, which its record counts together."""

    context: Context
    format_name: str | None = None
    _counts: Counter[str] = field(default_factory=Counter)

    def read(self, paths: Sequence[Path]) -> IngestReport:
        """Read what is new below `paths`; BadInputError and HomeError as the stage."""
        since = self.context.clock()
        before = self._counts.copy()
        run_stage(self.context, "ingest", lambda: self._ingest(paths))
        loop.run_stages(self.context, loop.sessions)
        return read_report(self.context, paths, self._counts - before, since)

    def _ingest(self, paths: Sequence[Path]) -> Mapping[str, int]:
        self._counts.update(ingest(self.context, paths, format_name=self.format_name))
        return self._counts
