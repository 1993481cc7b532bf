"""A home with a fixed clock for the stages."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.config import Config
from pipelines.context import Context
from pipelines.home import Home

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A context in an empty home."""
    return Context(Home(tmp_path / "home").prepare(), Config(), "run-1", "test", lambda: NOW)
