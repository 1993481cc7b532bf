"""The exports agree with the snapshot, and withhold from a team what it withholds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from agent_core.errors import BadInputError
from pipelines.config import Config
from pipelines.context import Context
from pipelines.export import export_rows
from pipelines.home import Home
from pipelines.stages.publishing import publish
from pipelines.stages.snapshot import current_snapshot
from tests.pipelines.warehouse_rows import NOON, add

DETAIL = "not a known format: begins with zebra-quokka-7781"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Sessions of each status, those that grew with a verdict on what they held before."""
    made = Context(Home(tmp_path / "home").prepare(), Config(), "run-1", "test", lambda: NOON)
    with made.warehouse() as connection:
        add(connection, "source_files", path="a.txt", status="unknown", detail=DETAIL)
        add(connection, "source_files", path="b.json", format="atif", records=1, quarantined=3)
        for key, status, judged_hash, current in (
            ("batch", "pending", "hash", False),
            ("failed", "unscored", "hash", False),
            ("grown-failed", "unscored", "before", False),
            ("grown-judged", "judged", "before", True),
            ("judged", "judged", "hash", True),
            ("not-marked-yet", "judged", "hash", False),
            ("short", "judged", "hash", False),
        ):
            add(connection, "sessions", session_key=key, session_id=key,
                exclusion="too short" if key == "short" else None)  # fmt: skip
            add(connection, "judgements", judgement_id=key, session_key=key, status=status,
                content_hash=judged_hash, current=current, friction_score=0.5)  # fmt: skip
    return made


EXPORTED: list[tuple[str, str, float | None]] = [
    ("batch", "pending", None),
    ("failed", "unscored", None),
    ("grown-failed", "not judged yet", None),
    ("grown-judged", "not judged yet", None),
    ("judged", "judged", 0.5),
    ("not-marked-yet", "not judged yet", None),
    ("short", "excluded: too short", None),
]
WORDS = {"not judged yet": "waiting", "excluded: too short": "excluded"}


def test_export_and_snapshot_give_each_session_the_same_status(context: Context) -> None:
    rows = export_rows(context, "sessions")
    assert [(r["session_id"], r["status"], r["friction_score"]) for r in rows] == EXPORTED
    publish(context)
    snapshot = current_snapshot(context.home.snapshots)
    assert snapshot is not None
    published = pl.read_parquet(snapshot / "sessions.parquet")
    assert published.select("session_id", "status", "friction_score").rows() == [
        (session, WORDS.get(status, status), score) for session, status, score in EXPORTED
    ]


@pytest.mark.parametrize(("mode", "detail"), [("owner", DETAIL), ("team", None)])
def test_coverage_tells_a_team_no_detail_of_files(
    context: Context, mode: Any, detail: str | None
) -> None:
    rows = list(export_rows(_in_mode(context, mode), "coverage"))
    assert [tuple(row.values()) for row in rows if row["unit"] == "files"] == [
        ("files", "read", "atif", None, 1, 3),
        ("files", "unknown", None, detail, 1, 0),
    ]
    assert {row["status"]: row["number"] for row in rows if row["unit"] == "sessions"} == {
        "excluded: too short": 1,
        "judged": 1,
        "not judged yet": 3,
        "pending": 1,
        "unscored": 1,
    }


@pytest.mark.parametrize("what", ["moments", "turns", "judgements", "facets", "sessions"])
def test_a_team_is_refused_all_other_rows(context: Context, what: str) -> None:
    with pytest.raises(BadInputError, match=f"export {what}: rows of single sessions are not"):
        list(export_rows(_in_mode(context, "team"), what))


def _in_mode(context: Context, mode: Any) -> Context:
    return replace(context, config=Config(mode=mode))
