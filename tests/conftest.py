"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest

from tests.shared_data import missing_data, shared_folder

_ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return _ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The real logs and labels; a test that needs them skips where they are absent, but in CI."""
    shared = shared_folder()
    reason = missing_data(shared)
    if reason is None:
        return shared
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
