"""Session: pick one, and see friction and delight along its steps."""

from typing import Any

import polars as pl
import streamlit as st

from dashboards import charts
from dashboards.figures import accuracy, accuracy_rows, placed_moments, session_choices
from dashboards.page import columns_of, is_dark, open_page, table
from dashboards.snapshot import Snapshot
from dashboards.words import judge_caption, moment_words, percent, plain

LONG_SESSION = 200
PICKED = "picked_session"


def show() -> None:
    """The whole page."""
    snapshot = open_page("One session")
    if not snapshot.has("sessions"):
        st.info(
            "This snapshot is a team's: single sessions are not published.", icon=":material/group:"
        )
        st.stop()
    session = _picked(table(snapshot, "sessions"))
    quality = table(snapshot, "judge_quality")
    quality = quality.filter(pl.col("judge") == session["judge"])
    _show_facts(session, quality)
    moments = table(snapshot, "moments", session["session_key"])
    _show_timeline(table(snapshot, "timeline", session["session_key"]), moments, quality)
    _show_moments(snapshot, moments, quality)


def _picked(sessions: pl.DataFrame) -> dict[str, Any]:
    """The session chosen by the filters, or named by the address; ends the page without one."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        feeling = st.segmented_control(
            "With", ["friction", "delight"], key="with", bind="query-params"
        )
        search = st.text_input(
            "Search",
            key="search",
            bind="query-params",
            placeholder="project, release, user …",
            width=360,
        )
    choices = session_choices(sessions, feeling, search or "")
    kept = _kept((feeling, search))
    keys = choices["session_key"].to_list()
    if kept and kept not in keys and kept in sessions["session_key"]:
        keys = [kept, *keys]
    if not keys:
        st.info("No judged session matches.", icon=":material/search_off:")
        st.stop()
    labels = {row["session_key"]: _label(row) for row in choices.to_dicts()}
    key = st.selectbox(
        "Session",
        keys,
        index=keys.index(kept) if kept in keys else 0,
        format_func=lambda key: labels.get(key, key),
        key=PICKED,
    )
    st.query_params["session"] = key
    return sessions.row(by_predicate=pl.col("session_key") == key, named=True)


def _kept(filters: tuple[str | None, str]) -> str | None:
    """The session shown or named by the address, until the reader asks for others.

    The address holds the key and not the label (what `bind` would write), so that a link
    stands when the counts in the label change.
    """
    before = st.session_state.get("session_filters", filters)
    st.session_state["session_filters"] = filters
    if before != filters:
        return None
    return st.session_state.get(PICKED) or st.query_params.get("session")


def _label(row: dict[str, Any]) -> str:
    felt = f"{row['friction_moments']} friction, {row['delight_moments']} delight"
    return f"{row['day']}   {row['session_key']}   ({felt})"


def _show_facts(session: dict[str, Any], quality: pl.DataFrame) -> None:
    if session["summary"]:
        st.markdown(plain(session["summary"]))
    for column, (name, value, polarity) in zip(st.columns(5), _facts(session), strict=True):
        column.metric(name, value)
        if polarity:
            column.caption(judge_caption(accuracy(quality, polarity)))
    where = [
        ("agent", session["agent"]),
        ("release", session["release"]),
        ("project", session["project"]),
        ("user", session["user_id"]),
        ("started", moment_words(session["started_at"]) if session["started_at"] else None),
        ("judge", session["judge"]),
        ("log", session["source_path"]),
    ]
    st.caption(plain("; ".join(f"{name}: {value or 'unknown'}" for name, value in where)))


def _facts(session: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """Name, value, and of what the judge says it; None: the log itself says it."""
    return [
        ("Steps", f"{session['steps']:,}", None),
        ("Turns of the person", f"{session['person_turns']:,}", None),
        ("Tool calls, failed", f"{session['tool_calls']:,}, {session['tool_errors']:,}", None),
        ("Friction score", percent(session["friction_score"]), "friction"),
        ("Delight score", percent(session["delight_score"]), "delight"),
    ]


def _show_timeline(steps: pl.DataFrame, moments: pl.DataFrame, quality: pl.DataFrame) -> None:
    st.subheader("Timeline")
    if steps.is_empty():
        st.caption("The steps of this session are not published: not judged, or purged.")
        return
    low, high = _range(steps)
    inside = pl.col("position").is_between(low, high)
    shown = placed_moments(moments.filter(inside))
    chart = charts.session_timeline(steps.filter(inside), shown, dark=is_dark())
    st.altair_chart(chart, alt=f"{steps.height} steps with {shown.height} moments")
    st.caption(
        "Delight stands above the steps and friction below, further out where it is graver. "
        "Point at a mark to see what happened."
    )
    for polarity, type_ in (("friction", "any"), ("friction", "severity"), ("delight", "any")):
        of = f"{polarity}, {type_}" if type_ == "severity" else polarity
        st.caption(plain(f"Judge of {of}: {accuracy(quality, polarity, type_)}"))


def _range(steps: pl.DataFrame) -> tuple[int, int]:
    """The positions to show; a long session gets a slider."""
    positions = steps["position"].to_list()
    first, last = min(positions), max(positions)
    if len(positions) <= LONG_SESSION:
        return first, last
    low, high = st.slider("Steps shown", first, last, (first, last))
    return low, high


def _show_moments(snapshot: Snapshot, moments: pl.DataFrame, quality: pl.DataFrame) -> None:
    st.subheader("Moments")
    if moments.is_empty():
        st.caption("No moment of friction or delight was found in this session.")
        return
    known = accuracy_rows(quality, moments)
    st.dataframe(
        moments.join(
            known, on=["polarity", "type"], how="left", maintain_order="left"
        ).with_columns(pl.selectors.string().fill_null("")),
        hide_index=True,
        column_order=[
            "position",
            "polarity",
            "type",
            "severity",
            "citation",
            "tool",
            "error_class",
            "source_ref",
            "confidence",
            "agreement with labels",
        ],
        column_config=columns_of(snapshot, "moments"),
    )


show()
