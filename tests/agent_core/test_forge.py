"""Pull requests of the local forge."""

from pathlib import Path

import pytest

from agent_core.errors import ConfigError
from agent_core.forge import PullRequest, open_forge


def test_a_rerun_updates_the_pull_request(tmp_path: Path) -> None:
    forge = open_forge("local", tmp_path)
    for text in ("first\n", "second\n"):
        path = forge.publish(PullRequest("task-1", "Title", "signals/task-1", "0" * 40, text))
    assert path == tmp_path / "pull_requests" / "task-1.md"
    assert path.read_text() == "second\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_an_unknown_forge_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='forge "hub" is not supported'):
        open_forge("hub", tmp_path)
