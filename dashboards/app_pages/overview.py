"""Overview: how sessions felt, over time, by type and release, and how much was judged."""

import polars as pl
import streamlit as st

from dashboards import charts
from dashboards.figures import (
    accuracy,
    accuracy_rows,
    coverage_rows,
    definition_changes,
    rate_of,
    release_labels,
    session_counts,
)
from dashboards.page import columns_of, open_page, table
from dashboards.snapshot import Snapshot
from dashboards.words import interval, judge_caption, percent, plain, type_words


def show() -> None:
    """The whole page."""
    snapshot = open_page("How sessions felt")
    rates = table(snapshot, "rates_overall")
    _show_headline(snapshot, rates)
    if rate_of(rates, "friction")["rate"] is None:
        st.info(
            "No session is judged yet: run `signals judge`, then `signals run`.",
            icon=":material/info:",
        )
    else:
        _show_days(snapshot, rates)
        by_type, by_release = st.columns(2, gap="large")
        with by_type:
            _show_types(snapshot, rates)
        with by_release:
            _show_releases(snapshot)
    _show_coverage(snapshot)


def _show_headline(snapshot: Snapshot, rates: pl.DataFrame) -> None:
    counts = session_counts(table(snapshot, "coverage"))
    friction, delight = rate_of(rates, "friction"), rate_of(rates, "delight")
    quality = table(snapshot, "judge_quality")
    first, second, third, fourth = st.columns(4)
    with first:
        st.metric("Sessions with friction", percent(friction["rate"]))
        st.caption(interval(friction))
        _show_accuracy(quality, "friction")
    with second:
        st.metric("Sessions with delight", percent(delight["rate"]))
        st.caption(interval(delight))
        _show_accuracy(quality, "delight")
    with third:
        st.metric("Judged", f"{counts.judged:,}")
        st.caption(f"of {counts.seen:,} sessions seen, {counts.excluded:,} left out")
    with fourth:
        st.metric("Could not be judged", f"{counts.unscored:,}")
        st.caption(f"{counts.pending:,} pending, {counts.waiting:,} not judged yet")


def _show_accuracy(quality: pl.DataFrame, polarity: str, type_: str = "any") -> None:
    if not quality.is_empty():
        st.caption(judge_caption(accuracy(quality, polarity, type_)))


def _show_days(snapshot: Snapshot, rates: pl.DataFrame) -> None:
    st.subheader("Day by day")
    types = [name for name in rates["type"].unique(maintain_order=True).to_list() if name != "any"]
    chosen = st.selectbox(
        "Type",
        ["any", *types],
        format_func=type_words,
        key="type",
        bind="query-params",
        help="The day of the session's start in UTC.",
        width=320,
    )
    days = table(snapshot, "rates_daily").filter(pl.col("type") == (chosen or "any"))
    if days.is_empty():
        st.caption("No day reaches the floors of this snapshot.")
        return
    schema_changes = table(snapshot, "schema_changes")
    polarities = [name for name in charts.POLARITY_COLOURS if name in days["polarity"]]
    for column, polarity in zip(st.columns(len(polarities), gap="large"), polarities, strict=True):
        with column:
            st.markdown(f"Sessions with {polarity}")
            changes = definition_changes(schema_changes, polarity, chosen or "any")
            chart = charts.rates_over_days(days.filter(pl.col("polarity") == polarity), changes)
            st.altair_chart(chart, alt=f"Share of sessions with {polarity}, day by day")
            for words in changes["words"]:
                st.caption(f"Dashed: the definition changed in {plain(words)}.")
            _show_accuracy(table(snapshot, "judge_quality"), polarity, chosen or "any")
    st.caption("Bands are 95 % Wilson intervals: a day with few sessions has a wide one.")


def _show_types(snapshot: Snapshot, rates: pl.DataFrame) -> None:
    st.subheader("By type")
    types = rates.filter(pl.col("type") != "any").sort("rate", descending=True)
    if types.is_empty():
        st.caption("No moments were found in the judged sessions.")
        return
    st.altair_chart(charts.rates_by_type(types), alt="Rates by type with 95 % intervals")
    known = accuracy_rows(table(snapshot, "judge_quality"), types)
    st.dataframe(known.with_columns(pl.col("type").str.replace_all("_", " ")), hide_index=True)


def _show_releases(snapshot: Snapshot) -> None:
    st.subheader("By release")
    releases = table(snapshot, "rates_by_release").filter(pl.col("type") == "any")
    if releases.is_empty():
        st.caption("No judged session names its release.")
        return
    chart = charts.rates_by_release(release_labels(releases))
    st.altair_chart(chart, alt="Rates by release with 95 % intervals")
    for polarity in charts.POLARITY_COLOURS:
        said = accuracy(table(snapshot, "judge_quality"), polarity)
        st.caption(plain(f"Judge of {polarity}: {said}"))


def _show_coverage(snapshot: Snapshot) -> None:
    st.subheader("What was judged, and what was not")
    coverage = table(snapshot, "coverage")
    left, right = st.columns(2, gap="large")
    with left:
        st.caption("Sessions")
        st.dataframe(coverage_rows(coverage, "sessions"), hide_index=True)
    with right:
        st.caption("Files")
        st.dataframe(coverage_rows(coverage, "files"), hide_index=True)
    withheld = coverage.filter(pl.col("area") == "withheld")["count"].sum()
    if withheld:
        st.caption(
            f"{withheld:,} rows are withheld: fewer than {snapshot.min_sessions} sessions or "
            f"{snapshot.min_users} users."
        )
    _show_judge_quality(snapshot)


def _show_judge_quality(snapshot: Snapshot) -> None:
    quality = table(snapshot, "judge_quality").filter(pl.col("origin") != "none")
    if quality.is_empty():
        return
    st.subheader("How far to trust the judge")
    for labels in quality["labels"].unique(maintain_order=True):
        st.caption(plain(f"Measured against {labels}."))
    st.dataframe(
        quality.with_columns(pl.selectors.float().round(2)),
        hide_index=True,
        column_order=_QUALITY_COLUMNS,
        column_config=columns_of(snapshot, "judge_quality"),
    )


_QUALITY_COLUMNS = [
    "judge",
    "polarity",
    "type",
    "turns",
    "positives",
    "precision",
    "recall",
    "f1",
    "kappa",
    "kappa_low",
    "kappa_high",
    "auroc",
    "origin",
    "measured_with",
    "statement",
]


show()
