"""A warehouse as a team has after two weeks: two releases, the second with a defect."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import duckdb

from tests.pipelines.warehouse_rows import NOON, SEED, add

DAYS = 14
PER_DAY = 3
SECOND_RELEASE_DAY = 8

DIFF = """\
--- a/agent_core/tools/edit_file.toml
+++ b/agent_core/tools/edit_file.toml
@@ -12,3 +12,3 @@
 [errors]
-no_match = "Edit failed."
+no_match = "The text does not occur in {path}. Read the file again and copy it exactly."
 not_unique = "The text occurs {count} times. Add lines around it."
"""


class _Found(NamedTuple):
    polarity: str
    type: str
    severity: str
    position: int
    descriptor: str
    citation: str
    tool: str | None = None
    error_class: str | None = None


NO_MATCH = _Found(
    "friction", "error_event", "high", 5, "after an edit, the edit tool found no match",
    "The agent's edit failed because the text to replace was not found.", "edit_file", "no_match",
)  # fmt: skip
CORRECTION = _Found(
    "friction", "correction", "medium", 6, "after an edit, the user asked for another way",
    "The user corrected the agent's choice of approach.",
)  # fmt: skip
REPHRASED = _Found(
    "friction", "repeated_rephrasing", "low", 6, "late in the session, the user asked again",
    "The user restated the same request for the third time.",
)  # fmt: skip
PRAISE = _Found(
    "delight", "praise", "medium", 9, "at the end, the user thanked the agent",
    "The user thanked the agent after the tests passed.",
)  # fmt: skip
FIRST_TRY = _Found(
    "delight", "first_attempt_success", "high", 8, "the first attempt passed its tests",
    "The agent's first attempt passed all tests.",
)  # fmt: skip


def fill_warehouse(connection: duckdb.DuckDBPyConnection) -> None:
    """42 sessions over 14 days (40 judged), moments, clusters, a breach and its task."""
    connection.execute("BEGIN")
    for number in range(DAYS * PER_DAY):
        _add_session(connection, number)
    _add_sources(connection)
    _add_patterns(connection)
    _add_task(connection)
    _add_calibrations(connection)
    connection.execute("COMMIT")


def _add_session(connection: duckdb.DuckDBPyConnection, number: int) -> None:
    key, day = f"atif:session-{number:02}", number // PER_DAY
    started = NOON + timedelta(days=day, hours=number % PER_DAY)
    add(
        connection,
        "sessions",
        session_key=key,
        session_id=f"session-{number:02}",
        source_path=f"logs/session-{number:02}.json",
        release="0.2.0+b7e1" if day >= SECOND_RELEASE_DAY else "0.1.0+91ac",
        user_id=("ann", "ben", None)[number % 3],
        project=("shop", "billing")[number % 2],
        day=started.date(),
        started_at=started,
        ended_at=started + timedelta(minutes=9),
        steps=10,
        agent_steps=7,
        person_turns=3,
        tool_calls=4,
        tool_errors=1,
    )
    _add_steps(connection, key, failing=number % 2 == 1)
    if number == 20:
        connection.execute("UPDATE sessions SET exclusion = 'no turn of a person' "
                           "WHERE session_key = ?", [key])  # fmt: skip
    elif number == 30:
        add(connection, "judgements", judgement_id=f"j{number:02}", session_key=key,
            status="unscored", reason="the log is cut off", current=False)  # fmt: skip
    else:
        add(connection, "judgements", judgement_id=f"j{number:02}", session_key=key,
            summary="The user had the agent fix a failing test; it passed in the end.",
            friction_score=0.6, delight_score=0.3)  # fmt: skip
        _add_moments(connection, key, number)


def _add_steps(connection: duckdb.DuckDBPyConnection, key: str, *, failing: bool) -> None:
    error: dict[str, Any] = {"observations": [{"is_error": failing}]}
    steps: list[dict[str, Any]] = [
        {"source": "system"},
        {"source": "user", "is_person": True},
        {},
        {"tool_calls": [{"name": "read_file"}]},
        {"tool_calls": [{"name": "search"}]},
        {"tool_calls": [{"name": "edit_file"}], **error},
        {"source": "user", "is_person": True},
        {"source": "user", "event": "interrupt"},
        {"tool_calls": [{"name": "run_command"}]},
        {"source": "user", "is_person": True},
    ]
    for position, values in enumerate(steps):
        add(connection, "steps", session_key=key, source_ref=f"#/steps/{position}",
            position=position, text="text of the session", **values)  # fmt: skip


def _add_moments(connection: duckdb.DuckDBPyConnection, key: str, number: int) -> None:
    in_second = number // PER_DAY >= SECOND_RELEASE_DAY
    found = [
        *([NO_MATCH] if number % (2 if in_second else 9) == 1 else []),
        *([CORRECTION] if number % 5 == 0 else []),
        *([REPHRASED] if number % 11 == 3 else []),
        *([PRAISE] if number % 3 == 0 else []),
        *([FIRST_TRY] if number % 4 == 2 else []),
    ]
    for moment in found:
        moment_id = f"{key}-{moment.type}"
        add(connection, "moments", moment_id=moment_id, judgement_id=f"j{number:02}",
            session_key=key, source_ref=f"#/steps/{moment.position}", polarity=moment.polarity,
            type=moment.type, severity=moment.severity, descriptor=moment.descriptor,
            citation=moment.citation, tool=moment.tool, error_class=moment.error_class)  # fmt: skip
        add(connection, "cluster_members", kind=moment.polarity, item_id=moment_id, cluster=0)


def _add_sources(connection: duckdb.DuckDBPyConnection) -> None:
    for number in range(DAYS * PER_DAY):
        add(connection, "source_files", path=f"logs/session-{number:02}.json", format="atif",
            records=10)  # fmt: skip
    add(connection, "source_files", path="logs/notes.txt", status="unknown",
        detail="not a known format")  # fmt: skip


def _add_patterns(connection: duckdb.DuckDBPyConnection) -> None:
    add(connection, "clusters", kind="friction", cluster=0, name="edit found no match",
        terms=["edit", "match"], size=12, sessions=12, users=3, maps_to="error_event")  # fmt: skip
    add(connection, "schema_proposals", proposal_id="p-4f1c", name="specification_drift",
        definition="The goal of the session changes while the agent works.", support=9,
        sessions=7, users=3, stability=0.86,
        evidence={"examples": ["late in the session, the user named another goal"],
                  "terms": ["goal", "another"], "gain": 0.21})  # fmt: skip
    add(connection, "drift", target="friction", value="correction", change="grows", run_id="run-1",
        affected_before=4, sessions_before=40, affected_after=12, sessions_after=20, users_after=3,
        change_low=0.24, change_high=0.7, q_value=0.0007, before_from=date(2026, 2, 1),
        after_from=date(2026, 3, 1))  # fmt: skip
    for number in range(8):
        key = f"atif:session-{number:02}"
        add(connection, "request_readings", session_key=key, content_hash="hash", version="1",
            asked=["refund"], served=[])  # fmt: skip
        if number < 6:
            add(connection, "unserved_requests", session_key=key, source_ref="#/steps/1",
                topic="refund", action="make", abstract="a refund to be made, handed over",
                ending="handed_over", content_hash="hash")  # fmt: skip
    drift = {"name": "goal_drift", "definition": "The goal changes on the way.", "since": 2}
    changed = {**SEED, "version": 2, "friction": [*SEED["friction"], drift]}
    add(connection, "facet_schemas", version=1, current=False)
    add(connection, "facet_schemas", version=2, schema=changed, base=1)
    for number in range(10):
        add(connection, "facet_values", session_key=f"atif:session-{number:02}",
            schema_version=2,
            facet="languages", value=["python"])  # fmt: skip


def _add_task(connection: duckdb.DuckDBPyConnection) -> None:
    task = {
        "evidence": ["9 of 17 sessions of release 0.2.0+b7e1 show it.", NO_MATCH.citation],
        "suspected_cause": "The error of edit_file does not say what to do next.",
        "acceptance": ["The recorded calls serve or fail with an actionable message."],
        "affected_sessions": [f"session-{number}" for number in range(25, 42, 2)],
    }
    task_id = "task-19c2e0aa"
    add(connection, "patch_tasks", task_id=task_id, task=task, state="proposed",
        updated_at=NOON + timedelta(days=14, minutes=4))  # fmt: skip
    add(connection, "breaches", breach_id="breach-1", release="0.2.0+b7e1", tool="edit_file",
        error_class="no_match", affected=9, sessions=17, users=3, baseline_affected=3,
        baseline_sessions=23, rate=9 / 17, baseline_rate=3 / 23, rise_low=0.06, rise_high=0.58,
        task_id=task_id)  # fmt: skip
    states = [None, "open", "planned", "patching", "verifying", "proposed"]
    for number, (before, after) in enumerate(pairwise(states), start=1):
        add(connection, "task_transitions", task_id=task_id, number=number, from_state=before,
            to_state=after, moved_at=NOON + timedelta(days=14, minutes=number),
            reason="breach breach-1" if number == 1 else "the run went on")  # fmt: skip
    add(connection, "patch_attempts", attempt_id="attempt-1", task_id=task_id, diff=DIFF,
        sandbox="bubblewrap", base_commit="16588fb", branch="signals/task-19c2e0aa",
        commit_sha="d4f6c1b", pr_path="pull-requests/1.md")  # fmt: skip
    gates = [("scope", "passed", ""), ("style", "passed", ""), ("tests", "passed", ""),
             ("replay", "passed", ""),
             ("scenarios", "unscored", "none covers this tool")]  # fmt: skip
    for number, (gate, status, reason) in enumerate(gates, start=1):
        add(connection, "gate_results", attempt_id="attempt-1", number=number, gate=gate,
            status=status, reason=reason, seconds=0.4 * number)  # fmt: skip
    add(connection, "patch_tasks", task_id="task-0b7d1f03", state="failed", type="correction",
        title="Ask before choosing another approach", tool=None, error_class=None,
        task={"affected_sessions": ["s"] * 6})  # fmt: skip


def _add_calibrations(connection: duckdb.DuckDBPyConnection) -> None:
    """The owner's labels measure some types, one of them for an earlier version of the judge."""
    whole = {"precision": [0.8, 0.74, 0.85], "recall": [0.72, 0.65, 0.78], "f1": [0.76, 0.7, 0.8],
             "auroc": [0.91, 0.88, 0.94], "severity_weighted_kappa": [0.6, 0.53, 0.66],
             "severity_turns": 620}  # fmt: skip
    measured: list[tuple[str, str, str, dict[str, Any]]] = [
        ("1", "friction", "any", _kappa(609, 177, 0.67, 0.6, 0.73) | whole),
        ("1", "friction", "error_event", _kappa(616, 9)),
        ("1", "friction", "correction", _kappa(605, 129, 0.54, 0.45, 0.64)),
        ("0.9", "friction", "repeated_rephrasing", _kappa(614, 22, 0.42, 0.22, 0.59)),
        ("1", "delight", "any", _kappa(613, 17)),
        ("1", "delight", "praise", _kappa(620, 5)),
        ("1", "delight", "first_attempt_success", _kappa(620, 1)),
    ]
    for version, polarity, type_, figures in measured:
        add(connection, "calibrations", calibration_id=f"c-{version}", judge_version=version,
            polarity=polarity, type=type_, figures=figures)  # fmt: skip


def _kappa(turns: int, positives: int, *kappa: float) -> dict[str, Any]:
    return {"turns": turns, "positives": positives} | ({"kappa": list(kappa)} if kappa else {})
