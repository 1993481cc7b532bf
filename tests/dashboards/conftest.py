"""Published snapshots of a small real warehouse, one for each mode, and of an empty one."""

import sys
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
import streamlit as st

from pipelines.stages.snapshot import publish_snapshot
from pipelines.stages.snapshot_tables import Mode
from tests.pipelines.warehouse_rows import NOON, new_warehouse
from tests.pipelines.warehouse_sample import fill_warehouse


class Published(NamedTuple):
    """Folders of snapshots."""

    owner: Path
    team: Path
    empty: Path


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """The sample of two weeks as its owner and as a team see it, and nothing at all."""
    folder = tmp_path_factory.mktemp("published")
    found = Published(folder / "owner", folder / "team", folder / "empty")
    full, bare = new_warehouse(folder / "full.duckdb"), new_warehouse(folder / "bare.duckdb")
    fill_warehouse(full)
    publications: list[tuple[duckdb.DuckDBPyConnection, Path, Mode, int]] = [
        (full, found.owner, "owner", 1),
        (full, found.team, "team", 3),
        (bare, found.empty, "owner", 1),
    ]
    for connection, snapshots, mode, min_users in publications:
        publish_snapshot(
            connection,
            snapshots,
            run_id="run-1",
            mode=mode,
            now=NOON,
            min_sessions=5,
            min_users=min_users,
        )
    full.close()
    bare.close()
    return found


@pytest.fixture
def fresh_streamlit(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache of another test, and a command line without pytest's own arguments."""
    st.cache_data.clear()
    monkeypatch.setattr(sys, "argv", ["app.py"])
