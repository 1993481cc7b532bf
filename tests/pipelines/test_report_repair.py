"""What the report says of merged patches, over a published snapshot."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines.report import read_report, report_as_dict
from pipelines.report_repair import RepairReport
from pipelines.report_repair_text import effect_lines
from pipelines.report_text import report_lines
from pipelines.stages.snapshot import publish_snapshot
from pipelines.stages.snapshot_tables import Mode
from tests.pipelines.warehouse_rows import NOON, add, new_warehouse

pytestmark = pytest.mark.slow


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = new_warehouse(tmp_path / "warehouse.duckdb")
    yield connection
    connection.close()


def _task(
    connection: duckdb.DuckDBPyConnection, task_id: str, *moves: tuple[str, float], **effect: object
) -> None:
    """A task with its moves (state, hours after it was opened) and its latest look."""
    add(connection, "patch_tasks", task_id=task_id, state=moves[-1][0],
        task={"affected_sessions": ["s"] * 9})  # fmt: skip
    add(connection, "breaches", breach_id=f"b-{task_id}", task_id=task_id, affected=9, sessions=20,
        users=4)  # fmt: skip
    for number, (state, hours) in enumerate(moves, start=1):
        add(connection, "task_transitions", task_id=task_id, number=number, to_state=state,
            moved_at=NOON + timedelta(hours=hours), reason="so")  # fmt: skip
    if effect:
        add(connection, "effects", **_LOOK | effect | {"task_id": task_id})


_LOOK: dict[str, object] = {
    "affected_before": 25, "sessions_before": 50, "affected_after": 0, "sessions_after": 40,
    "change_low": -0.68, "change_high": -0.3, "odds_ratio": 0.0, "odds_ratio_low": 0.0,
    "odds_ratio_high": 0.11, "control": "errors at other tools than edit_file",
    "control_ratio": 0.02, "control_ratio_low": 0.0, "control_ratio_high": 0.4,
    "reason": "told", "is_look": True,
}  # fmt: skip
_MERGED = (("open", 0.0), ("proposed", 0.5), ("merged", 20.0), ("watching", 20.0))


def _fill(connection: duckdb.DuckDBPyConnection) -> None:
    _task(connection, "t-1", *_MERGED, ("resolved", 90.0), verdict="resolved")
    _task(connection, "t-2", ("open", 0.0), ("proposed", 3.0), ("open", 80.0), verdict="regressed")
    _task(connection, "t-3", *_MERGED, ("expired", 700.0), verdict="inconclusive")
    waits_for = "about 12 sessions without the patch and 37 with the patch are needed still"
    _task(connection, "t-4", *_MERGED, verdict="watching", sessions_after=3, control_ratio=None,
          control_ratio_high=None, reason=waits_for)  # fmt: skip
    _task(connection, "t-5", ("open", 0.0))


def _repair(
    connection: duckdb.DuckDBPyConnection, folder: Path, mode: Mode = "owner"
) -> RepairReport:
    publish_snapshot(connection, folder, run_id="run-1", mode=mode, now=NOON,
                     min_sessions=5, min_users=3)  # fmt: skip
    return read_report(folder).repair


TEXT = """\
  1 of 3 resolved (33 %, 95 % interval 6 to 79 %), 1 regressed, 1 inconclusive; 1 still watched
  time to pull request: median 30 min (30 min to 3.0 h), 4 tasks
  time to resolution: 3.8 days, 1 task
  t-1 [resolved]
      25 of 50 sessions without the patch, 0 of 40 with it (-68 to -30 points); odds x 0, 0 to 0.11
        times
      against errors at other tools than edit_file: odds x 0.02, 0 to 0.4 times
"""
WATCHED = """\
  t-4 [watching]
      25 of 50 sessions without the patch, 0 of 3 with it (-68 to -30 points); odds x 0, 0 to 0.11
        times
      against errors at other tools than edit_file: odds 0 to any times
      about 12 sessions without the patch and 37 with the patch are needed still"""


def test_the_owner_reads_shares_times_and_a_paragraph_for_each_task(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _fill(warehouse)
    _repair(warehouse, tmp_path / "snapshots")
    report = read_report(tmp_path / "snapshots")
    text = "\n".join(report_lines(report_as_dict(report)))
    section = text[text.index("Effect of merged patches\n") :].partition("\n")[2]
    assert section.startswith(TEXT)
    assert section.endswith(WATCHED)


def test_a_team_reads_no_reasons_and_no_look_at_a_few_sessions(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _fill(warehouse)
    repair = _repair(warehouse, tmp_path / "snapshots", "team")
    assert (repair.resolved, repair.regressed, repair.inconclusive, repair.watching) == (1, 1, 1, 1)
    assert [effect.task_id for effect in repair.effects] == ["t-1", "t-2", "t-3"]
    assert {effect.reason for effect in repair.effects} == {None}


def test_a_task_that_is_merged_again_is_watched_and_no_longer_regressed(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _task(warehouse, "t-1", *_MERGED, ("open", 50.0), *_MERGED[1:], verdict="regressed")
    repair = _repair(warehouse, tmp_path / "snapshots")
    assert (repair.regressed, repair.watching, repair.resolved_share) == (0, 1, None)


def test_nothing_merged_is_said_in_one_line(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    assert [*effect_lines(asdict(_repair(warehouse, tmp_path / "snapshots")))] == [
        "  no patch is merged yet"
    ]
