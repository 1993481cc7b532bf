"""Pull requests of the local forge, and which forge the settings make."""

import subprocess
from pathlib import Path

import pytest

from agent_core.errors import ConfigError
from agent_core.forge import ForgeSettings, ForgeStatus, PullRequest, make_forge
from tests.agent_core.forge.github_world import git

_GITHUB = ForgeSettings("github", "octo/shop", token_env="NO_SUCH_TOKEN")


def test_a_rerun_updates_the_pull_request(tmp_path: Path) -> None:
    forge = make_forge(ForgeSettings(), tmp_path, tmp_path)
    for text in ("first", "second"):
        request = PullRequest("task-1", "Say `x`", "signals/task-1", "0" * 40, text, "+```\n")
        published = forge.publish(request)
    path = Path(published.url)
    assert (path, published.number) == (tmp_path / "pull_requests" / "task-1.md", None)
    assert path.read_text() == "# Say \\`x\\`\n\nsecond\n\n## Diff\n\n````diff\n+```\n````\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_the_repository_says_what_was_merged(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "begin")
    forge = make_forge(ForgeSettings(), tmp_path / "home", tmp_path)
    states = [forge.status("signals/t")]
    git(tmp_path, "switch", "-qc", "signals/t")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "patch")
    git(tmp_path, "switch", "-q", "main")
    states.append(forge.status("signals/t"))
    git(tmp_path, "merge", "-q", "--no-ff", "-m", "merged", "signals/t")
    states.append(forge.status("signals/t"))
    assert states == [ForgeStatus("none"), ForgeStatus("open"), ForgeStatus("merged")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ForgeSettings("hub"), 'forge "hub" is not supported'),
        (ForgeSettings("github"), '"owner/name" is needed'),
        (ForgeSettings("github", "octo/../shop"), '"owner/name" is needed'),
        (ForgeSettings("github", "o/s", api_url="http://git.example.org/api/v3"), "use https"),
        (ForgeSettings("github", "o/s", api_url="https://me:pw@example.org"), "a place only"),
        (_GITHUB, "no token for octo/shop: set NO_SUCH_TOKEN"),
    ],
    ids=["unknown", "no repository", "no name", "plain http", "password", "no token"],
)
def test_a_forge_that_cannot_be_made_says_why(
    settings: ForgeSettings, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        make_forge(settings, tmp_path, tmp_path)
