"""Sessions with the labels of their turns, read from the logs that the label rows name."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from agent_core.session import Session
from judges.calibration import Label, read_labels
from judges.rubric import load_rubric
from pipelines.sources import read_file


class LabelledSession(NamedTuple):
    """A session, and by `source_ref` the labels that its file has."""

    session: Session
    labels: Mapping[str, Label]

    @property
    def project(self) -> str:
        """As the labels call it."""
        return next(iter(self.labels.values())).project or "unknown"


def read_labelled_sessions(file: Path, logs: Path) -> list[LabelledSession]:
    """The sessions of all files that the rows of `file` name, as paths below `logs`.

    In the order of the paths. Raises BadInputError naming the line where `file` holds anything
    but label rows.
    """
    rows = read_labels(file.read_text(encoding="utf-8").split("\n"), load_rubric(), name=file.name)
    by_path: dict[str, dict[str, Label]] = defaultdict(dict)
    for label in rows.labels:
        by_path[label.path][label.source_ref] = label
    return [
        LabelledSession(session, labels)
        for path, labels in sorted(by_path.items())
        for session in read_file(logs / path).sessions
    ]
