"""The hand-made logs that ship with the product are what their users expect of them."""

from pathlib import Path

import pytest

from agent_core.session import Session, person_turns
from pipelines.sources import FileReading, Quarantined, find_files, read_file


@pytest.fixture(scope="module")
def readings(repository: Path) -> list[FileReading]:
    """Every hand-made file, read."""
    return [read_file(path) for path in find_files([repository / "data" / "handmade"])]


def _figures(session: Session) -> tuple[str, int, list[str], int]:
    """Project, turns of the person, events, failed results."""
    events = [step.event for step in session.steps if step.event]
    failed = sum(seen.is_error for step in session.steps for seen in step.observations)
    project = (session.project or "").rpartition("/")[2]
    return project, len(person_turns(session)), list(events), failed


def test_they_hold_friction_and_delight(readings: list[FileReading]) -> None:
    figures = [_figures(session) for reading in readings for session in reading.sessions]
    stops = ["rejection", "interrupt", "rejection", "compaction"]
    assert sorted(figures) == [
        ("kiln-controller", 3, [], 0),
        ("kiln-controller", 4, ["interrupt", "rollback"], 4),
        ("orchard-web", 3, [], 2),
        ("orchard-web", 4, ["interrupt"], 4),
        ("tide-tables", 3, [], 0),
        ("tide-tables", 3, stops, 4),
    ]


def test_one_line_is_broken_and_one_file_compressed(readings: list[FileReading]) -> None:
    broken = [place for reading in readings for place in reading.quarantined]
    assert broken == [Quarantined("line:10", "not valid JSON at character 68")]
    assert [r.path.suffix for r in readings].count(".gz") == 1
    assert {reading.status for reading in readings} == {"read"}


def test_the_fork_copies_the_beginning_of_its_parent(readings: list[FileReading]) -> None:
    sessions = [s for r in readings for s in r.sessions if "orchard" in (s.project or "")]
    fork, parent = sorted(sessions, key=lambda session: len(session.steps))
    copied = {step.content_id for step in parent.steps} & {step.content_id for step in fork.steps}
    turns = [step.text[:40] for step in fork.steps if step.is_person]
    owned = [
        step.text[:40] for step in fork.steps if step.is_person and step.content_id not in copied
    ]
    assert (len(copied), turns[1:]) == (8, owned)
