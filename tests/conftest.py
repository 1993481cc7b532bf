"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return _ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The real logs and labels; a test that needs them skips where they are absent, but in CI."""
    shared = Path(os.environ.get("SIGNALS_SHARED", _ROOT.parent / "shared")).resolve()
    if (shared / "logs").is_dir():
        return shared
    reason = f"real data not found: SIGNALS_SHARED names {shared}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
