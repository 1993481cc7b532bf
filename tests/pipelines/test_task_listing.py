"""What `signals tasks` says, to people and to machines."""

from contextlib import closing
from pathlib import Path

import pytest

from agent_core.errors import BadInputError
from pipelines.fleet import FleetResult
from pipelines.task_listing import (
    listed_tasks,
    listing_text,
    outcome_rows,
    outcome_text,
    task_details,
    task_text,
)
from tests.pipelines.warehouse_rows import add, new_warehouse

_TASK = {
    "evidence": ["3 of 9 sessions show it"],
    "suspected_cause": "the limits",
    "acceptance": "calls serve",
    "affected_sessions": ["s1", "s2"],
}


def test_a_task_is_told_with_why_breaches_joined_it(tmp_path: Path) -> None:
    with closing(new_warehouse(tmp_path / "w.duckdb")) as connection:
        add(connection, "patch_tasks", task_id="task-1", task=_TASK, state="proposed")
        for number, state in enumerate(("open", "proposed"), start=1):
            add(connection, "task_transitions", task_id="task-1", number=number, to_state=state,
                reason=f"now {state}")  # fmt: skip
        add(connection, "breaches", breach_id="b1", task_id="task-1", tool="run_sql",
            error_class="no_match", affected=3, sessions=9)  # fmt: skip
        connection.execute(
            "INSERT INTO task_breaches VALUES ('b1', 'task-1', 'meaning', 0.91, now())"
        )
        add(connection, "patch_attempts", attempt_id="a1", task_id="task-1", tokens=1200,
            branch="signals/task-1", pr_path="pull_requests/task-1.md")  # fmt: skip
        add(connection, "gate_results", attempt_id="a1", number=1, gate="scope", reason="fine")
        rows = listed_tasks(connection)
        found = task_details(connection, "task-1")
        with pytest.raises(BadInputError, match="task-2: no such task; there are: task-1"):
            task_details(connection, "task-2")
    assert (rows[0]["branch"], rows[0]["reason"], rows[0]["attempts"]) == (
        "signals/task-1", "now proposed", 1,
    )  # fmt: skip
    told = task_text(found).splitlines()
    assert "  run_sql: no match, release 1.1: means the same (similarity 0.91)" in told
    assert "  branch signals/task-1, pull request pull_requests/task-1.md" in told
    assert "  1,200 tokens" in told
    assert "  passed    scope        fine" in told
    assert listing_text(rows).startswith("task-1  proposed   Say what to do when an edit finds no")


def test_what_was_left_says_why() -> None:
    result = FleetResult(left={"task-1": "signals tasks run (process 7) works on it"})
    assert outcome_rows(result) == {
        "task-1": {"status": "left", "reason": "signals tasks run (process 7) works on it"}
    }
    assert outcome_text(result) == "task-1: left, signals tasks run (process 7) works on it"
    assert outcome_text(FleetResult()) == "no open task"
