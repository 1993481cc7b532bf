"""What every page begins with: the current snapshot or a word on why there is none; its tables."""

import os
import sys
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from dashboards.snapshot import (
    Column,
    Snapshot,
    SnapshotError,
    current_snapshot,
    read_table,
    snapshots_folder,
)
from dashboards.words import moment_words, plain


def open_page(title: str) -> Snapshot:
    """Show the title and return the snapshot; without one, say what to do and end the page."""
    st.title(title)
    try:
        snapshot = current_snapshot(snapshots_folder(sys.argv[1:], os.environ))
    except SnapshotError as error:
        st.error(plain(str(error)), icon=":material/error:")
        st.stop()
    if snapshot is None:
        st.info(
            "No snapshot yet: run `signals run`, then reload this page.", icon=":material/info:"
        )
        st.stop()
    _show_origin(snapshot)
    return snapshot


def table(snapshot: Snapshot, name: str, session_key: str | None = None) -> pl.DataFrame:
    """A table of the snapshot, of one session where it is named; damage ends the page."""
    try:
        return _cached_table(str(snapshot.directory), name, session_key)
    except SnapshotError as error:
        st.error(plain(str(error)), icon=":material/error:")
        st.stop()


def is_dark() -> bool:
    """Whether the reader's theme is dark."""
    return bool(st.context.theme.type == "dark")


def columns_of(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """Streamlit's column settings of a published table: its own descriptions as help."""
    return {column: _column(column, about) for column, about in snapshot.tables[name].items()}


def _column(name: str, about: Column) -> Any:
    label, text = name.replace("_", " "), plain(about.description)
    if about.type == "TIMESTAMPTZ":
        config = st.column_config.DatetimeColumn
        return config(label, help=text, format="D MMM YYYY, HH:mm", timezone="UTC")
    return st.column_config.Column(label, help=text)


# The directory names one publication and is never written again: a new run is a new key.
@st.cache_data(max_entries=128, show_spinner=False)
def _cached_table(directory: str, name: str, session_key: str | None) -> pl.DataFrame:
    return read_table(Path(directory), name, session_key)


def _show_origin(snapshot: Snapshot) -> None:
    judges = table(snapshot, "judges")
    named = ", ".join(f"{row['judge']} {row['judge_version']}" for row in judges.to_dicts()[:3])
    by = f"Judged by {named}." if named else "Nothing is judged yet."
    st.caption(
        plain(f"{by} Published {moment_words(snapshot.published_at)}, run {snapshot.run_id}.")
    )
