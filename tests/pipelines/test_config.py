"""The configuration file and its errors."""

import re
from pathlib import Path

import pytest

from agent_core.errors import ConfigError
from pipelines.config import Config, config_keys, given_keys, load_config


def test_a_missing_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path / "signals.toml") == Config()


def test_team_mode_raises_the_floor_of_users(tmp_path: Path) -> None:
    path = tmp_path / "signals.toml"
    path.write_text('mode = "team"\n[select]\nmin_steps = 30\n')
    config = load_config(path)
    assert (config.min_sessions, config.min_users, config.select.min_steps) == (5, 3, 30)
    assert given_keys(path) == {"mode", "select.min_steps"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("mode = ", "not valid TOML", id="syntax"),
        pytest.param('mode = "crowd"', "mode: input should be 'owner' or 'team'", id="value"),
        pytest.param("[select]\nmin_step = 3", "did you mean select.min_steps?", id="typo"),
        pytest.param("[prices]\nfiles = 'x'", "did you mean prices.file?", id="another typo"),
        pytest.param("[facets]\nbackfill_sessions = 0", "facets.backfill_sessions:", id="nothing"),
        pytest.param("[evolution]\nmin_stability = 2", "evolution.min_stability:", id="share"),
        pytest.param("[judge]\nidle_hours = -1", "judge.idle_hours:", id="range"),
        pytest.param("[judge]\nbase_url = 'my host'", "judge.base_url: value error, not", id="URL"),
    ],
)
def test_an_error_names_the_file_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "signals.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"signals\.toml") as caught:
        load_config(path)
    assert message in str(caught.value)


def test_every_key_can_be_shown() -> None:
    config = Config()
    values = {key: config.value_of(key) for key in config_keys()}
    assert values["judge.judge"] == "rules"
    assert values["select.min_user_turns"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[forge]\nname = "github"', 'forge: value error, [forge] repository: "owner/name"'),
        (
            '[forge]\nname = "github"\nrepository = "o/s"\napi_url = "http://x.example/api/v3"',
            "http would send the token unencrypted",
        ),
        ('[forge]\ntoken = "ghp_x"', "unknown key forge.token"),
        ('[target]\nrepo = "/r"\npatchable = ["tools"]', "needs agent too"),
        ('[target]\npatchable = ["tools"]\nagent = "x"', "needs repo too"),
        ('[target]\nrepo = "/r"\nagent = "x"\npatchable = ["../x"]', "../x is no place below"),
        ('[target]\nrepo = "/r"\nagent = "x"\npatchable = [".git/hooks"]', "is no place below"),
        ('[target]\nrepo = "/r"\ntest_command = ["make"]', "only repo counts"),
    ],
    ids=["no repository", "plain http", "token", "no agent", "no repo", "above", "git", "core"],
)
def test_a_forge_or_target_that_cannot_work_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "signals.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("page", ["forges.md", "targets.md"])
def test_what_the_docs_show_is_valid(repository: Path, tmp_path: Path, page: str) -> None:
    text = (repository / "docs" / page).read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "signals.toml"
    path.write_text(shown)
    assert load_config(path) != Config()
