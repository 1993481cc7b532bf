"""Small literal warehouses for tests: the real migrations, rows with only what matters written."""

import atexit
import json
import shutil
import tempfile
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from facets.schema import load_seed_schema
from pipelines.warehouse.migration import migrate

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SEED = load_seed_schema().model_dump(mode="json")
"""The document of the schema's first version."""

_DEFAULTS: dict[str, dict[str, Any]] = {
    "source_files": {
        "status": "read",
        "size": 1,
        "mtime_ns": 1,
        "first_seen": NOON,
        "last_read": NOON,
    },
    "sessions": {
        "format": "atif",
        "session_id": "id",
        "source_path": "logs/a.json",
        "agent": "core",
        "is_autonomous": False,
        "is_simulated_user": False,
        "day": date(2026, 3, 2),
        "started_at": NOON,
        "first_seen": NOON,
        "steps": 0,
        "agent_steps": 0,
        "person_turns": 0,
        "copied_steps": 0,
        "tool_calls": 0,
        "tool_errors": 0,
        "content_hash": "hash",
    },
    "steps": {
        "source_path": "logs/a.json",
        "source": "agent",
        "text": "",
        "reasoning": "",
        "is_person": False,
        "is_copied_context": False,
        "log_says_copied": False,
        "tool_calls": [],
        "observations": [],
    },
    "judgements": {
        "content_hash": "hash",
        "judge": "rules",
        "judge_version": "1",
        "prompt_version": "none",
        "model": "none",
        "rubric_version": "1",
        "status": "judged",
        "attempts": 1,
        "summary": "",
        "facets": {},
        "moments": [],
        "turns": [],
        "tokens_sent": 0,
        "tokens_received": 0,
        "judged_at": NOON,
        "current": True,
    },
    "moments": {
        "polarity": "friction",
        "type": "error_event",
        "severity": "medium",
        "confidence": 0.9,
        "descriptor": "after an edit, the tool found no match",
        "citation": "The agent's edit failed because the text was not there.",
        "evidence": [],
    },
    "facet_schemas": {"schema": SEED, "origin": "seed", "created_at": NOON, "current": True},
    "facet_values": {"schema_version": 1, "provenance": "judge"},
    "schema_proposals": {
        "kind": "new_type",
        "target": "friction",
        "definition": "",
        "evidence": {},
        "status": "open",
        "created_at": NOON,
    },
    "clusters": {"terms": [], "run_id": "run-1"},
    "cluster_members": {"probability": 1.0},
    "breaches": {
        "detected_at": NOON,
        "run_id": "run-1",
        "agent": "core",
        "release": "1.1",
        "type": "error_event",
        "users": 1,
        "baseline_affected": 1,
        "baseline_sessions": 40,
        "rate": 0.5,
        "rate_low": 0.3,
        "rate_high": 0.7,
        "baseline_rate": 0.025,
        "rise_low": 0.25,
        "rise_high": 0.68,
        "p_value": 0.0001,
        "q_value": 0.0004,
    },
    "patch_tasks": {
        "pattern": "core|error_event|edit_file|no_match",
        "agent": "core",
        "type": "error_event",
        "tool": "edit_file",
        "error_class": "no_match",
        "state": "open",
        "title": "Say what to do when an edit finds no match",
        "task": {},
        "created_at": NOON,
        "updated_at": NOON,
    },
    "task_transitions": {"moved_at": NOON},
    "patch_attempts": {
        "started_at": NOON,
        "ended_at": NOON,
        "status": "proposed",
        "reason": "all gates passed",
        "policy": "playbook",
        "diff": "",
    },
    "gate_results": {"status": "passed", "reason": "", "seconds": 0.5},
    "effects": {"measured_at": NOON},
    "calibrations": {
        "calibration_id": "c-1",
        "measured_at": NOON,
        "labels": "hash",
        "judge": "rules",
        "judge_version": "1",
        "prompt_version": "none",
        "model": "none",
        "rubric_version": "1",
        "polarity": "friction",
        "type": "any",
    },
}


def new_warehouse(path: Path) -> duckdb.DuckDBPyConnection:
    """An empty warehouse at `path` (`:memory:` as well), as the migrations make it."""
    in_memory = str(path) == ":memory:"
    if not in_memory:
        shutil.copyfile(empty_warehouse(), path)
    connection = duckdb.connect(str(path))
    connection.execute("SET TimeZone = 'UTC'")
    if in_memory:
        migrate(connection, path)
    return connection


@cache
def empty_warehouse() -> Path:
    """A file that the migrations made, once a process: copying is a hundred times quicker."""
    path = Path(tempfile.mkdtemp(prefix="signals-empty-")) / "signals.duckdb"
    atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        migrate(connection, path)
    return path


def add(connection: duckdb.DuckDBPyConnection, table: str, **values: Any) -> None:
    """Insert one row; columns not named take the defaults above. Dicts and lists of dicts: JSON."""
    row = {**_DEFAULTS.get(table, {}), **values}
    marks = ", ".join("?" for _ in row)
    columns = ", ".join(f'"{name}"' for name in row)
    bound = [_bound(table, name, value) for name, value in row.items()]
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", bound)


_JSON_COLUMNS = {
    ("steps", "tool_calls"),
    ("steps", "observations"),
    ("judgements", "facets"),
    ("judgements", "moments"),
    ("judgements", "turns"),
    ("facet_schemas", "schema"),
    ("facet_values", "value"),
    ("schema_proposals", "evidence"),
    ("patch_tasks", "task"),
    ("calibrations", "figures"),
}


def _bound(table: str, column: str, value: Any) -> Any:
    return json.dumps(value) if (table, column) in _JSON_COLUMNS and value is not None else value
