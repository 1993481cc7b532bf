"""The published snapshot, read back as a reader does: from the files alone."""

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from agent_core.errors import BadInputError, SignalsError
from pipelines.stages.snapshot import current_snapshot, publish_snapshot
from pipelines.stages.snapshot_tables import Mode
from tests.pipelines.warehouse_rows import NOON, SEED, add, new_warehouse

CANARY = "zebra-quokka-7781"
OWNER_ONLY = {"sessions", "moments", "timeline", "session_facets"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = new_warehouse(tmp_path / "warehouse.duckdb")
    yield connection
    connection.close()


def _publish(
    connection: duckdb.DuckDBPyConnection,
    snapshots: Path,
    *,
    run_id: str = "run-1",
    mode: Mode = "owner",
    min_sessions: int = 1,
    min_users: int = 1,
) -> Path:
    publish_snapshot(
        connection,
        snapshots,
        run_id=run_id,
        mode=mode,
        now=NOON,
        min_sessions=min_sessions,
        min_users=min_users,
    )
    current = current_snapshot(snapshots)
    assert current is not None
    return current


def _rows(snapshot: Path, table: str, *columns: str) -> list[tuple[object, ...]]:
    return pl.read_parquet(snapshot / f"{table}.parquet").select(columns).rows()


def _session(connection: duckdb.DuckDBPyConnection, key: str, user: str | None = None) -> None:
    """A judged session of one step, with one moment of friction at it."""
    add(connection, "sessions", session_key=key, user_id=user, release="1.1")
    add(connection, "judgements", judgement_id=f"j-{key}", session_key=key)
    add(
        connection,
        "steps",
        session_key=key,
        source_ref="line:1",
        position=0,
        text=f"text {CANARY}",
        reasoning=f"reasoning {CANARY}",
        tool_calls=[{"call_id": "1", "name": "edit_file", "arguments": {"path": CANARY}}],
        observations=[{"call_id": "1", "content": CANARY, "is_error": True}],
    )
    add(
        connection,
        "moments",
        moment_id=f"m-{key}",
        judgement_id=f"j-{key}",
        session_key=key,
        source_ref="line:1",
        tool="edit_file",
        citation=f"Citation of {key}.",
    )


def test_sessions_each_have_one_status_and_coverage_adds_up(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for key in ("judged", "short", "batch", "failed", "new", "grown"):
        add(warehouse, "sessions", session_key=key)
    warehouse.execute("UPDATE sessions SET exclusion = 'too short' WHERE session_key = 'short'")
    add(warehouse, "judgements", judgement_id="1", session_key="judged", summary="Fixed a test.")
    add(warehouse, "judgements", judgement_id="2", session_key="batch", status="pending",
        reason="in a batch", current=False)  # fmt: skip
    add(warehouse, "judgements", judgement_id="3", session_key="failed", status="unscored",
        reason="no answer", current=False)  # fmt: skip
    add(warehouse, "judgements", judgement_id="4", session_key="grown", current=False)
    add(warehouse, "source_files", path="a.jsonl", format="codex", records=1, quarantined=3)
    add(warehouse, "source_files", path="b.txt", status="unknown", detail="not a known format")
    snapshot = _publish(warehouse, tmp_path / "snapshots")
    assert _rows(snapshot, "sessions", "session_key", "status", "reason", "summary") == [
        ("batch", "pending", "in a batch", ""),
        ("failed", "unscored", "no answer", ""),
        ("grown", "waiting", None, ""),
        ("judged", "judged", None, "Fixed a test."),
        ("new", "waiting", None, ""),
        ("short", "excluded", "too short", ""),
    ]
    assert _rows(snapshot, "coverage", "area", "status", "reason", "count") == [
        ("files", "read", "codex", 1),
        ("files", "unknown", "not a known format", 1),
        ("records", "quarantined", "", 3),
        ("records", "read", "", 1),
        ("releases", "unknown", "", 1),
        ("sessions", "waiting", "", 2),
        ("sessions", "excluded", "too short", 1),
        ("sessions", "judged", "", 1),
        ("sessions", "pending", "in a batch", 1),
        ("sessions", "unscored", "no answer", 1),
    ]


def test_a_verdict_on_what_a_session_held_before_it_grew_is_none(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for key, status in (("judged", "judged"), ("failed", "unscored"), ("batch", "pending")):
        add(warehouse, "sessions", session_key=key, content_hash="grown", release="1.1")
        add(warehouse, "judgements", judgement_id=f"j-{key}", session_key=key, status=status,
            content_hash="before", reason="of old", summary="Of old.", friction_score=0.5,
            current=status == "judged")  # fmt: skip
    add(warehouse, "moments", moment_id="m", judgement_id="j-judged", session_key="judged",
        source_ref="line:1")  # fmt: skip
    snapshot = _publish(warehouse, tmp_path / "snapshots")
    columns = ("session_key", "status", "reason", "summary", "friction_score", "friction_moments")
    assert _rows(snapshot, "sessions", *columns) == [
        ("batch", "waiting", None, "", None, 0),
        ("failed", "waiting", None, "", None, 0),
        ("judged", "waiting", None, "", None, 0),
    ]
    assert _rows(snapshot, "moments", "moment_id") == []
    assert _rows(snapshot, "judges", "judge") == []
    assert _rows(snapshot, "rates_overall", "polarity", "sessions") == [
        ("friction", 0),
        ("delight", 0),
    ]


def test_rates_are_published_overall_by_day_and_by_release(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _session(warehouse, "a")
    add(warehouse, "sessions", session_key="b", day=date(2026, 3, 3))
    add(warehouse, "judgements", judgement_id="j-b", session_key="b")
    snapshot = _publish(warehouse, tmp_path / "snapshots")
    counts = ("polarity", "type", "affected", "sessions")
    assert _rows(snapshot, "rates_overall", *counts) == [
        ("friction", "any", 1, 2),
        ("friction", "error_event", 1, 2),
        ("delight", "any", 0, 2),
    ]
    assert _rows(snapshot, "rates_daily", "day", *counts) == [
        (date(2026, 3, 2), "friction", "any", 1, 1),
        (date(2026, 3, 2), "friction", "error_event", 1, 1),
        (date(2026, 3, 2), "delight", "any", 0, 1),
        (date(2026, 3, 3), "friction", "any", 0, 1),
        (date(2026, 3, 3), "friction", "error_event", 0, 1),
        (date(2026, 3, 3), "delight", "any", 0, 1),
    ]
    assert _rows(snapshot, "rates_by_release", "release", "first_session_at", *counts) == [
        ("1.1", NOON, "friction", "any", 1, 1),
        ("1.1", NOON, "friction", "error_event", 1, 1),
        ("1.1", NOON, "delight", "any", 0, 1),
    ]


STEPS: list[tuple[dict[str, Any], str, list[str], int]] = [
    ({"source": "user", "is_person": True}, "person", [], 0),
    ({"source": "user"}, "harness", [], 0),
    ({"source": "agent"}, "agent", [], 0),
    ({"tool_calls": [{"name": "read_file"}, {"name": "mcp__x.y"}]}, "tool call",
     ["read_file", "other tool"], 0),
    ({"tool_calls": [{"name": "Bash"}], "observations": [{"is_error": True}, {"is_error": False}]},
     "tool error", ["Bash"], 1),
    ({"tool_calls": [{"name": f"my secret {CANARY}"}]}, "tool call", ["other tool"], 0),
    ({"source": "user", "event": "interrupt"}, "interrupt", [], 0),
]  # fmt: skip


def test_timeline_tells_kinds_and_tools_of_judged_sessions_only(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for key in ("a", "unjudged"):
        add(warehouse, "sessions", session_key=key)
        for position, (values, *_) in enumerate(STEPS):
            add(warehouse, "steps", session_key=key, source_ref=f"line:{position + 1}",
                position=position, **values)  # fmt: skip
    add(warehouse, "judgements", judgement_id="j", session_key="a")
    snapshot = _publish(warehouse, tmp_path / "snapshots")
    columns = ("session_key", "position", "source_ref", "kind", "tools", "errors")
    assert _rows(snapshot, "timeline", *columns) == [
        ("a", position, f"line:{position + 1}", kind, tools, errors)
        for position, (_, kind, tools, errors) in enumerate(STEPS)
    ]


def test_moments_of_superseded_judgements_are_not_published(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _session(warehouse, "a")
    add(warehouse, "judgements", judgement_id="old", session_key="a", current=False)
    add(warehouse, "moments", moment_id="m-old", judgement_id="old", session_key="a",
        source_ref="line:1")  # fmt: skip
    add(warehouse, "cluster_members", kind="friction", item_id="m-a", cluster=-1)
    snapshot = _publish(warehouse, tmp_path / "snapshots")
    columns = ("moment_id", "source_ref", "position", "citation", "tool", "judge", "cluster")
    assert _rows(snapshot, "moments", *columns) == [
        ("m-a", "line:1", 0, "Citation of a.", "edit_file", "rules", -1)
    ]


def test_facet_lists_count_each_entry_under_the_current_schema(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _session(warehouse, "a", "ann")
    _session(warehouse, "b")
    add(warehouse, "facet_schemas", version=1, current=False)
    add(warehouse, "facet_schemas", version=2, schema={**SEED, "version": 2})
    add(warehouse, "facet_values", session_key="a", schema_version=1, facet="intent", value="old")
    for key, languages in (("a", ["python", "sql"]), ("b", ["python"])):
        add(warehouse, "facet_values", session_key=key, schema_version=2, facet="languages",
            value=languages)  # fmt: skip
    add(warehouse, "facet_values", session_key="b", schema_version=2, facet="intent", value=None)
    snapshot = _publish(warehouse, tmp_path / "snapshots")
    assert _rows(snapshot, "facets", "facet", "value", "sessions", "users") == [
        ("intent", None, 1, 1),
        ("languages", "python", 2, 2),
        ("languages", "sql", 1, 1),
    ]


def _task(connection: duckdb.DuckDBPyConnection, task_id: str, affected: int, users: int) -> None:
    """A task with its breach, an attempt, a gate, transitions and an effect."""
    task = {
        "evidence": ["4 of 9 sessions show it.", "The edit failed. (3 times)"],
        "suspected_cause": "The error does not say what to do.",
        "acceptance": ["The recorded calls serve."],
        "affected_sessions": ["s1", "s2"],
    }
    add(connection, "patch_tasks", task_id=task_id, task=task)
    add(connection, "breaches", breach_id=f"b-{task_id}", affected=affected, sessions=9,
        users=users, task_id=task_id)  # fmt: skip
    add(connection, "task_transitions", task_id=task_id, number=1, to_state="open",
        reason=f"breach {CANARY}")  # fmt: skip
    add(connection, "patch_attempts", attempt_id=f"a-{task_id}", task_id=task_id, session_id="s9",
        status="failed", reason=f"ended: {CANARY}", diff="+fixed",
        pr_path="/home/pr/1")  # fmt: skip
    add(connection, "gate_results", attempt_id=f"a-{task_id}", number=1, gate="scope",
        reason=f"says {CANARY}")  # fmt: skip
    add(connection, "effects", task_id=task_id, affected_before=4, sessions_before=9,
        affected_after=0, sessions_after=12, change_low=-0.7, change_high=-0.1,
        verdict="resolved")  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "evidence", "history", "attempt", "gate"),
    [
        (
            "owner",
            ["4 of 9 sessions show it.", "The edit failed. (3 times)"],
            ("wide", "open", f"breach {CANARY}"),
            ("wide", "failed", f"ended: {CANARY}", "s9", "+fixed", "/home/pr/1"),
            ("a-wide", "scope", "passed", f"says {CANARY}"),
        ),
        (
            "team",
            [],
            ("wide", "open", None),
            ("wide", "failed", None, None, "+fixed", None),
            ("a-wide", "scope", "passed", None),
        ),
    ],
)
def test_tasks_come_with_their_history_when_they_reach_the_floors(
    warehouse: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    mode: Mode,
    evidence: list[str],
    history: tuple[str | None, ...],
    attempt: tuple[str | None, ...],
    gate: tuple[str | None, ...],
) -> None:
    _task(warehouse, "wide", affected=4, users=3)
    _task(warehouse, "few-sessions", affected=3, users=3)
    _task(warehouse, "few-users", affected=4, users=2)
    snapshot = _publish(warehouse, tmp_path / "snapshots", mode=mode, min_sessions=4, min_users=3)
    cause, acceptance = "The error does not say what to do.", ["The recorded calls serve."]
    columns = ("task_id", "state", "evidence", "suspected_cause", "acceptance", "affected_sessions")
    assert _rows(snapshot, "tasks", *columns) == [("wide", "open", evidence, cause, acceptance, 2)]
    assert _rows(snapshot, "breaches", "breach_id") == [("b-wide",)]
    assert _rows(snapshot, "task_transitions", "task_id", "to_state", "reason") == [history]
    columns = ("task_id", "status", "reason", "session_id", "diff", "pr_path")
    assert _rows(snapshot, "task_attempts", *columns) == [attempt]
    assert _rows(snapshot, "gate_results", "attempt_id", "gate", "status", "reason") == [gate]
    assert _rows(snapshot, "task_effects", "task_id", "verdict") == [("wide", "resolved")]
    withheld = [row for row in _rows(snapshot, "coverage", "area", "status", "count") if row[2]]
    assert ("withheld", "tasks", 2) in withheld
    assert ("withheld", "breaches", 2) in withheld


def test_a_task_without_a_breach_counts_its_own_sessions_and_one_user(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    add(warehouse, "patch_tasks", task_id="t", task={"affected_sessions": ["a", "b"]})
    owner = _publish(warehouse, tmp_path / "owner", min_sessions=2)
    team = _publish(warehouse, tmp_path / "team", mode="team", min_sessions=2, min_users=3)
    assert _rows(owner, "tasks", "task_id", "evidence") == [("t", [])]
    assert _rows(team, "tasks", "task_id") == []


def test_a_team_gets_no_sessions_no_citations_and_no_pattern_below_the_floors(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for number, user in enumerate(("ann", "ben", "cho", None)):
        _session(warehouse, f"s{number}", user)
    warehouse.execute("UPDATE moments SET type = 'correction' WHERE moment_id = 'm-s0'")
    for cluster, users in ((0, 3), (1, 2)):
        add(warehouse, "clusters", kind="friction", cluster=cluster, name=f"cluster {cluster}",
            size=9, sessions=5, users=users)  # fmt: skip
        add(warehouse, "schema_proposals", proposal_id=f"p{cluster}", name=f"type {cluster}",
            support=9, sessions=5, users=users,
            evidence={"examples": ["Citation of s0."], "gain": 0.5})  # fmt: skip
    snapshot = _publish(warehouse, tmp_path / "snapshots", mode="team", min_sessions=3, min_users=3)
    published = {path.stem for path in snapshot.glob("*.parquet")}
    assert not published & OWNER_ONLY
    assert published == set(json.loads((snapshot / "schema.json").read_text())["tables"])
    assert _rows(snapshot, "rates_overall", "polarity", "type", "affected") == [
        ("friction", "any", 4),
        ("friction", "error_event", 3),
        ("delight", "any", 0),
    ]
    assert _rows(snapshot, "clusters", "name") == [("cluster 0",)]
    figures = "9 items in 5 sessions of 3 users; stability not measured; gain 0.5"
    assert _rows(snapshot, "proposals", "name", "examples", "figures") == [("type 0", [], figures)]
    assert not [path for path in _files(snapshot) if _holds(path, "Citation of")]
    assert not [path for path in _files(snapshot) if _holds(path, "m-s0") or _holds(path, "line:1")]


def test_publishes_what_a_version_of_the_schema_changed(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    drift = {"name": "goal_drift", "definition": "The goal changes on the way.", "since": 2}
    changed = {**SEED, "version": 2, "friction": [*SEED["friction"], drift]}
    add(warehouse, "facet_schemas", version=1, current=False)
    add(warehouse, "facet_schemas", version=2, schema=changed, base=1)
    snapshot = _publish(warehouse, tmp_path / "snapshots")
    columns = ("version", "target", "name", "change", "in_force")
    assert _rows(snapshot, "schema_changes", *columns) == [
        (2, "friction", "goal_drift", "added", True)
    ]


def test_publishes_what_drifted_above_the_floors(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """What vanished is in no recent session; what could not be told is left out."""
    for value, change, before, after in (
        ("correction", "grows", 2, 9),
        ("backtracking", "vanishes", 6, 0),
        ("context_churn", "grows", 1, 2),
        ("error_event", "unclear", 9, 9),
    ):
        add(warehouse, "drift", target="friction", value=value, change=change, run_id="r",
            affected_before=before, sessions_before=20, affected_after=after, sessions_after=20,
            users_after=min(after, 2))  # fmt: skip
    snapshot = _publish(warehouse, tmp_path / "snapshots", min_sessions=5)
    assert _rows(snapshot, "drift", "value", "change") == [
        ("backtracking", "vanishes"),
        ("correction", "grows"),
    ]


def test_a_cluster_is_one_line_over_the_days(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for key, day in (("a", 2), ("b", 2), ("c", 3)):
        _session(warehouse, key)
        warehouse.execute(f"UPDATE sessions SET day = '2026-03-0{day}' WHERE session_key = '{key}'")
        add(warehouse, "cluster_members", kind="friction", item_id=f"m-{key}", cluster=0)
    add(warehouse, "cluster_members", kind="session", item_id="a", cluster=0)
    for kind, sessions in (("friction", 3), ("session", 1)):
        add(warehouse, "clusters", kind=kind, cluster=0, cluster_id=f"c-{kind}", name="n", size=3,
            sessions=sessions, users=1)  # fmt: skip
    snapshot = _publish(warehouse, tmp_path / "snapshots", min_sessions=3)
    assert _rows(snapshot, "cluster_trend", "cluster_id", "day", "items") == [
        ("c-friction", date(2026, 3, 2), 2),
        ("c-friction", date(2026, 3, 3), 1),
    ]


def test_publishes_what_was_asked_for_and_not_served(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for key, ending in (("a", "declined"), ("b", "handed_over"), ("c", "declined")):
        _session(warehouse, key)
        add(warehouse, "request_readings", session_key=key, content_hash="hash", version="1",
            asked=["refund", "invoice"], served=["invoice"])  # fmt: skip
        add(warehouse, "unserved_requests", session_key=key, source_ref="line:1", topic="refund",
            action="make", abstract="a refund", ending=ending, content_hash="hash")  # fmt: skip
    snapshot = _publish(warehouse, tmp_path / "snapshots", min_sessions=3)
    columns = ("topic", "sessions", "ending", "asked_sessions")
    assert _rows(snapshot, "unserved", *columns) == [("refund", 3, "declined", 3)]


@pytest.mark.parametrize("mode", ["owner", "team"])
def test_no_raw_text_is_in_any_published_byte(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, mode: Mode
) -> None:
    for key in ("a", "b", "c"):
        _session(warehouse, key)
    add(warehouse, "quarantine", path="a", place="line:9", reason=CANARY, seen_at=NOON)
    snapshots = tmp_path / "snapshots"
    _publish(warehouse, snapshots, mode=mode)
    assert [path for path in _files(snapshots) if _holds(path, CANARY)] == []


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def _holds(path: Path, text: str) -> bool:
    """Whether the file holds the text, in its bytes or in a value of a compressed column."""
    if path.suffix == ".parquet" and text in pl.read_parquet(path).write_json():
        return True
    return text.encode() in path.read_bytes()


def test_schema_json_describes_every_published_column(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    snapshot = _publish(warehouse, tmp_path / "snapshots")
    schema = json.loads((snapshot / "schema.json").read_text())
    head = {name: value for name, value in schema.items() if name != "tables"}
    assert head == {
        "schema_version": 3,
        "run_id": "run-1",
        "published_at": "2026-03-02T12:00:00+00:00",
        "mode": "owner",
        "min_sessions": 1,
        "min_users": 1,
    }
    written = {
        path.stem: pl.read_parquet_schema(path).keys() for path in snapshot.glob("*.parquet")
    }
    described = {name: table["columns"].keys() for name, table in schema["tables"].items()}
    assert described == written
    entries = [
        column for table in schema["tables"].values() for column in table["columns"].values()
    ]
    assert all(column["description"] and column["type"] for column in entries)


def test_a_moment_without_its_session_blocks_publishing(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    snapshots = tmp_path / "snapshots"
    before = _publish(warehouse, snapshots)
    add(warehouse, "moments", moment_id="m", judgement_id="j", session_key="gone", source_ref="1")
    with pytest.raises(SignalsError, match="moment m refers to session gone, which does not exist"):
        _publish(warehouse, snapshots, run_id="run-2")
    assert current_snapshot(snapshots) == before
    assert sorted(path.name for path in snapshots.iterdir()) == ["current", "run-1"]


@pytest.mark.slow
def test_the_last_five_snapshots_are_kept_and_dead_drafts_removed(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    snapshots = tmp_path / "snapshots"
    (snapshots / "run-0.tmp").mkdir(parents=True)
    for number in range(1, 8):
        _publish(warehouse, snapshots, run_id=f"run-{number}")
    names = sorted(path.name for path in snapshots.iterdir())
    assert names == ["current", "run-3", "run-4", "run-5", "run-6", "run-7"]


@pytest.mark.slow
def test_a_team_snapshot_removes_those_of_the_owner(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    snapshots = tmp_path / "snapshots"
    _session(warehouse, "a")
    modes: tuple[Mode, ...] = ("owner", "team", "team", "owner")
    for number, mode in enumerate(modes):
        _publish(warehouse, snapshots, run_id=f"run-{number}", mode=mode)
    for name in ("run-5.tmp", "damaged"):
        (snapshots / name).mkdir()
        (snapshots / name / "moments.parquet").write_bytes(b"")
    _publish(warehouse, snapshots, run_id="run-6", mode="team")
    assert sorted(path.name for path in snapshots.iterdir()) == [
        "current",
        "run-1",
        "run-2",
        "run-6",
    ]
    assert not {path.stem for path in _files(snapshots)} & OWNER_ONLY


def test_an_owner_snapshot_leaves_those_of_the_team(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    snapshots = tmp_path / "snapshots"
    _publish(warehouse, snapshots, run_id="run-1", mode="team")
    _publish(warehouse, snapshots, run_id="run-2")
    assert sorted(path.name for path in snapshots.iterdir()) == ["current", "run-1", "run-2"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_whatever_the_umask_only_the_user_may_read(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, umask: int
) -> None:
    snapshots = tmp_path / "snapshots"
    snapshots.mkdir(mode=0o755)
    (snapshots / "current.tmp").touch(mode=0o644)
    before = os.umask(umask)
    try:
        directory = _publish(warehouse, snapshots)
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in (snapshots, *snapshots.rglob("*"))}
    assert {modes.pop(snapshots), modes.pop(directory)} == {0o700}
    assert {path.name for path in modes} > {"current", "schema.json", "sessions.parquet"}
    assert set(modes.values()) == {0o600}


def test_a_run_that_publishes_twice_leaves_its_first_snapshot_to_its_readers(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    first = _publish(warehouse, tmp_path / "snapshots")
    _session(warehouse, "a")
    second = _publish(warehouse, tmp_path / "snapshots")
    assert (first.name, second.name) == ("run-1", "run-1-2")
    assert _rows(first, "sessions", "session_key") == []
    assert _rows(second, "sessions", "session_key") == [("a",)]


@pytest.mark.parametrize("run_id", ["../run", "", "current", ".hidden", "a/b"])
def test_a_run_id_that_cannot_name_a_directory_is_refused(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, run_id: str
) -> None:
    with pytest.raises(BadInputError, match="cannot name a directory"):
        _publish(warehouse, tmp_path / "snapshots", run_id=run_id)
    assert not (tmp_path / "snapshots").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"directory": "run-9"}', "is gone"), ("{", "is damaged"), ("[]", "is damaged")],
)
def test_a_damaged_pointer_says_what_to_do(tmp_path: Path, content: str, message: str) -> None:
    assert current_snapshot(tmp_path) is None
    (tmp_path / "current").write_text(content, encoding="utf-8")
    with pytest.raises(SignalsError, match=f"{message}: run `signals run` to publish again"):
        current_snapshot(tmp_path)
