"""Lessons read from a warehouse: what became of each attempt, and the nearest by real vectors."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from agent_core.change import FileChange, diff_text
from pipelines.config import EmbeddingConfig
from pipelines.context import Context
from pipelines.lessons import all_lessons, lessons_for
from pipelines.tasks import get_task
from pipelines.warehouse import open_warehouse
from tests.pipelines.warehouse_rows import NOON, add, new_warehouse

_DIFF = diff_text([FileChange("tools/a.toml", b"seconds = 2\n", b"seconds = 20\n")])


def _moves(
    connection: duckdb.DuckDBPyConnection, task_id: str, *moves: tuple[int, str, str]
) -> None:
    for number, (minute, to_state, reason) in enumerate(moves, start=1):
        moved_at = NOON + timedelta(minutes=minute)
        add(
            connection,
            "task_transitions",
            task_id=task_id,
            number=number,
            to_state=to_state,
            moved_at=moved_at,
            reason=reason,
        )


def _attempt(
    connection: duckdb.DuckDBPyConnection, task_id: str, minute: int, **values: object
) -> None:
    started_at = NOON + timedelta(minutes=minute)
    attempt_id = f"{task_id}-{minute}"
    add(
        connection,
        "patch_attempts",
        attempt_id=attempt_id,
        task_id=task_id,
        started_at=started_at,
        ended_at=started_at,
        **values,
    )


def test_each_attempt_is_told_by_what_became_of_it(tmp_path: Path) -> None:
    connection = new_warehouse(tmp_path / "w.duckdb")
    add(connection, "patch_tasks", task_id="t1", tool="run_command", error_class="timeout")
    _attempt(connection, "t1", 1, status="failed", reason="the gate replay failed", diff=_DIFF)
    _attempt(connection, "t1", 10, diff=_DIFF)
    _attempt(connection, "t1", 30, status="unscored", reason="no sandbox")
    _attempt(connection, "t1", 50, diff=_DIFF)
    _moves(
        connection,
        "t1",
        *((0, "open", "a breach"), (1, "planned", "x"), (2, "failed", "the gate replay failed")),
        *((5, "open", "tried again"), (5, "planned", "x"), (6, "failed", "interrupted")),
        *((9, "open", "tried again"), (11, "proposed", "a branch waits"), (12, "merged", "by Ana")),
        *((13, "watching", "x"), (20, "regressed", "it rose"), (21, "open", "regressed: it rose")),
        *((31, "failed", "no sandbox"), (40, "open", "tried again")),
        *((51, "proposed", "a branch waits"), (60, "rejected", "too\nwide for us")),
    )
    add(
        connection,
        "effects",
        task_id="t1",
        measured_at=NOON + timedelta(minutes=20),
        **{
            f"{what}_{when}": 1 for what in ("affected", "sessions") for when in ("before", "after")
        },
        change_low=0.02,
        change_high=0.125,
        verdict="regressed",
    )
    lessons = all_lessons(connection)
    connection.close()
    assert [(one.outcome, one.reason) for one in lessons] == [
        ("failed", "the gate replay failed"),
        ("regressed", "it rose (the rate changed by +2.0 to +12.5 points)"),
        ("unscored", "no sandbox"),
        ("rejected", "too wide for us"),
    ]
    assert [one.tried for one in lessons] == [
        *("tools/a.toml: seconds from 2 to 20",) * 2,
        "",
        "tools/a.toml: seconds from 2 to 20",
    ]
    assert len({one.change_key for one in lessons}) == 2


_TITLES = (
    "the greeting comes in the wrong language",
    "searching with brackets finds nothing",
    "the command ran out of time",
    "files are written to the wrong folder",
    "long listings are cut in the middle",
    "the program was stopped after too many seconds",
)


def _fill(context: Context) -> None:
    with open_warehouse(context.home.warehouse) as connection:
        for number, title in enumerate(_TITLES):
            add(connection, "patch_tasks", task_id=f"t{number}", title=title, tool=None,
                error_class=None, type=f"type-{number}")  # fmt: skip
            _attempt(connection, f"t{number}", number)
            _moves(connection, f"t{number}", (number, "proposed", "waits"))
        add(
            connection,
            "patch_tasks",
            task_id="new",
            title="a test suite is killed by its time limit",
            tool="run_command",
            error_class="timeout",
            type="correction",
        )


@pytest.mark.slow
def test_the_nearest_are_found_by_their_meaning_and_vectors_are_kept(context: Context) -> None:
    _fill(context)
    with context.warehouse() as connection:
        task = get_task(connection, "new")
    lessons = lessons_for(context, task)
    assert {one.found_by for one in lessons} == {"meaning"}
    assert {one.task_id for one in lessons[:2]} == {"t2", "t5"}
    with context.warehouse() as connection:
        ((kept,),) = connection.execute("SELECT count(*) FROM embeddings").fetchall()
    assert kept == 7
    assert lessons_for(context, task) == lessons


@pytest.mark.slow
def test_without_the_model_names_decide(context: Context, tmp_path: Path) -> None:
    _fill(context)
    said: list[str] = []
    config = context.config.model_copy(
        update={"embedding": EmbeddingConfig(model_dir=tmp_path / "none")}
    )
    bare = replace(context, config=config, progress=lambda what, done, total: said.append(what))
    with bare.warehouse() as connection:
        task = get_task(connection, "new")
    lessons = lessons_for(bare, task)
    assert {one.found_by for one in lessons} == {"type, tool and error class (no embedding)"}
    assert len(said) == 1
    assert said[0].startswith("earlier tasks are found by type, tool and class: embedding model ")
