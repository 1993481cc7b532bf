"""The log folders of this user, by default and where the environment moves them."""

from pathlib import Path

import pytest

from agent_core.errors import BadInputError
from pipelines.config import SourcesConfig
from pipelines.known_folders import log_folders, present_folders

_DEFAULT = [
    ".claude/projects",
    ".codex/sessions",
    ".codex/archived_sessions",
    ".gemini/tmp",
    ".copilot/session-state",
    ".copilot/history-session-state",
    ".pi/agent/sessions",
    ".openhands/sessions",
    ".openhands/conversations",
    ".cursor/projects",
]


@pytest.fixture
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home directory of a user who has used nothing yet."""
    home = tmp_path / "user"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def _make(home: Path, folders: list[str]) -> None:
    for folder in folders:
        (home / folder).mkdir(parents=True)


def test_each_agent_has_its_folder(user_home: Path) -> None:
    _make(user_home, _DEFAULT)
    assert present_folders({}) == [user_home / folder for folder in _DEFAULT]


def test_only_folders_that_are_there_are_read(user_home: Path) -> None:
    _make(user_home, [".pi/agent/sessions"])
    (user_home / ".codex").write_text("a file")
    assert present_folders({}) == [user_home / ".pi/agent/sessions"]


@pytest.mark.parametrize(
    ("variable", "logs"),
    [
        pytest.param("CLAUDE_CONFIG_DIR", "projects", id="Claude Code"),
        pytest.param("CODEX_HOME", "sessions", id="Codex"),
        pytest.param("GEMINI_CLI_HOME", ".gemini/tmp", id="Gemini CLI"),
        pytest.param("COPILOT_HOME", "session-state", id="Copilot CLI"),
        pytest.param("PI_CODING_AGENT_DIR", "sessions", id="Pi"),
        pytest.param("OPENHANDS_PERSISTENCE_DIR", "conversations", id="OpenHands"),
    ],
)
def test_the_environment_moves_an_agents_folder(user_home: Path, variable: str, logs: str) -> None:
    _make(user_home, [f"elsewhere/{logs}"])
    assert present_folders({variable: "~/elsewhere"}) == [user_home / "elsewhere" / logs]
    assert present_folders({variable: ""}) == []


def test_the_configuration_is_asked_first_and_the_cores_sessions_come_along(
    user_home: Path, tmp_path: Path
) -> None:
    _make(user_home, [".codex/sessions"])
    core = tmp_path / "core"
    core.mkdir()
    sources = SourcesConfig(paths=[Path("~/logs")])
    assert log_folders(sources, core, {}) == [user_home / "logs"]
    (core / "a.json").touch()
    assert log_folders(sources, core, {}) == [user_home / "logs", core]
    assert log_folders(SourcesConfig(), core, {}) == [user_home / ".codex/sessions", core]


def test_nothing_to_read_names_every_folder_looked_at(user_home: Path, tmp_path: Path) -> None:
    core = tmp_path / "core"
    core.mkdir()
    with pytest.raises(BadInputError) as raised:
        log_folders(SourcesConfig(), core, {})
    names = ", ".join(f"~/{folder}" for folder in _DEFAULT)
    assert str(raised.value) == f"no logs found in any of {names}; give a path: signals run PATH"
