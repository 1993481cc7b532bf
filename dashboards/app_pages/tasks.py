"""Tasks: what the agent repairs in itself, from evidence to pull request."""

from typing import Any, Literal

import polars as pl
import streamlit as st

from dashboards.figures import accuracy, tasks_by_group
from dashboards.page import columns_of, open_page, table
from dashboards.snapshot import Snapshot
from dashboards.words import judge_caption, plain, type_words

CHOSEN = "task"
_Colour = Literal["violet", "blue", "green", "orange", "gray"]
_STATE_COLOURS: dict[str, _Colour] = {
    "proposed": "violet",
    "merged": "blue",
    "watching": "blue",
    "resolved": "green",
    "regressed": "orange",
    "failed": "orange",
}
_GATE_MARKS = {"passed": "✓ passed", "failed": "✗ failed", "unscored": "? unscored"}


def show() -> None:
    """The whole page."""
    snapshot = open_page("Patch tasks")
    tasks = table(snapshot, "tasks")
    if tasks.is_empty():
        st.info(
            "No task yet: one is opened when a pattern of friction rises beyond its baseline.",
            icon=":material/info:",
        )
        st.stop()
    _show_board(tasks)
    chosen = st.selectbox(
        "Task", tasks["task_id"].to_list(), key=CHOSEN, bind="query-params", width=420
    )
    task = tasks.row(by_predicate=pl.col("task_id") == (chosen or tasks["task_id"][0]), named=True)
    _show_task(snapshot, task)


def _show_board(tasks: pl.DataFrame) -> None:
    groups = tasks_by_group(tasks)
    for column, (group, rows) in zip(st.columns(len(groups)), groups.items(), strict=True):
        with column:
            st.markdown(f"**{group}** ({rows.height})")
            for task in rows.to_dicts():
                _show_card(task)


def _show_card(task: dict[str, Any]) -> None:
    with st.container(border=True):
        st.badge(task["state"], color=_STATE_COLOURS.get(task["state"], "gray"))
        st.markdown(plain(task["title"]))
        st.caption(plain(f"{_pattern(task)}; {task['affected_sessions'] or 0} sessions"))
        st.button(
            "Details", key=f"open-{task['task_id']}", on_click=_choose, args=[task["task_id"]]
        )


def _choose(task_id: str) -> None:
    st.session_state[CHOSEN] = task_id


def _pattern(task: dict[str, Any]) -> str:
    parts = (type_words(task["type"]), task["tool"], task["error_class"])
    return " / ".join(part for part in parts if part)


def _show_task(snapshot: Snapshot, task: dict[str, Any]) -> None:
    st.subheader(plain(task["title"]))
    evidence, cause = st.columns(2, gap="large")
    with evidence:
        st.markdown("**Evidence**")
        _show_list(task["evidence"], "Not published: see the breach.")
    with cause:
        st.markdown("**Suspected cause**")
        st.markdown(plain(task["suspected_cause"] or "None named."))
        st.markdown("**Acceptance**")
        _show_list(task["acceptance"], "None written.")
    _show_rows(snapshot, "breaches", task["task_id"], "Breaches", _BREACH_COLUMNS)
    st.caption(judge_caption(accuracy(table(snapshot, "judge_quality"), "friction", task["type"])))
    _show_attempts(snapshot, task["task_id"])
    _show_rows(snapshot, "task_effects", task["task_id"], "Effect after the merge", None)
    _show_rows(snapshot, "task_transitions", task["task_id"], "How it went", _TRANSITION_COLUMNS)


# Null in a team's snapshot.
_REASON = pl.col("reason").fill_null("")
_BREACH_COLUMNS = [
    "release",
    "affected",
    "sessions",
    "rate",
    "rate_low",
    "rate_high",
    "baseline_rate",
    "rise_low",
    "rise_high",
    "q_value",
]
_TRANSITION_COLUMNS = ["moved_at", "from_state", "to_state", "reason"]


def _show_list(texts: list[str], empty: str) -> None:
    st.markdown("\n".join(f"- {plain(text)}" for text in texts) if texts else empty)


def _show_rows(
    snapshot: Snapshot, name: str, task_id: str, title: str, columns: list[str] | None
) -> None:
    rows = table(snapshot, name).filter(pl.col("task_id") == task_id)
    if rows.is_empty():
        return
    st.markdown(f"**{title}**")
    st.dataframe(
        rows.with_columns(
            pl.selectors.float().round_sig_figs(3), pl.selectors.string().fill_null("")
        ),
        hide_index=True,
        column_order=columns,
        column_config=columns_of(snapshot, name),
    )


def _show_attempts(snapshot: Snapshot, task_id: str) -> None:
    attempts = table(snapshot, "task_attempts").filter(pl.col("task_id") == task_id)
    if attempts.is_empty():
        st.caption(plain(f"Not attempted yet: signals tasks run {task_id}"))
    for attempt in attempts.sort("started_at", descending=True).to_dicts():
        _show_attempt(snapshot, attempt)


def _show_attempt(snapshot: Snapshot, attempt: dict[str, Any]) -> None:
    st.markdown(f"**Attempt** of {attempt['started_at']:%-d %B %Y, %H:%M} UTC")
    facts = [
        ("result", ", ".join(filter(None, (attempt["status"], attempt["reason"])))),
        ("policy", attempt["policy"]),
        ("sandbox", attempt["sandbox"] or "none"),
        ("branch", attempt["branch"] or "none"),
        ("pull request", attempt["pr_path"] or _no_path(snapshot)),
    ]
    st.caption(plain("; ".join(f"{name}: {value}" for name, value in facts)))
    diff, gates = st.columns(2, gap="large")
    with diff:
        st.code(attempt["diff"] or "no change", language="diff", wrap_lines=True)
    with gates:
        _show_gates(table(snapshot, "gate_results"), attempt["attempt_id"])


def _no_path(snapshot: Snapshot) -> str:
    return "not published" if snapshot.mode == "team" else "none"


def _show_gates(gates: pl.DataFrame, attempt_id: str) -> None:
    own = gates.filter(pl.col("attempt_id") == attempt_id).sort("number")
    if own.is_empty():
        st.caption("No gate was run.")
        return
    shown = own.select("gate", pl.col("status").replace(_GATE_MARKS), _REASON, "seconds")
    st.dataframe(shown, hide_index=True)


show()
