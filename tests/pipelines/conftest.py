"""A home with a fixed clock for the stages."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.config import Config
from pipelines.context import Context
from pipelines.home import Home
from tests.pipelines.warehouse_rows import empty_warehouse

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A context in a home with an empty warehouse."""
    home = Home(tmp_path / "home").prepare()
    shutil.copyfile(empty_warehouse(), home.warehouse)
    return Context(home, Config(), "run-1", "test", lambda: NOW)
