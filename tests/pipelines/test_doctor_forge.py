"""The doctor's line on where pull requests go."""

from pathlib import Path

import pytest

from pipelines.doctor import Finding, examine
from pipelines.home import Home

pytestmark = pytest.mark.slow


def _line(home: Path) -> Finding:
    return next(finding for finding in examine(Home(home)) if finding.name == "forge")


def test_the_forge_is_looked_at_without_a_word_of_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pull_requests"
    assert _line(tmp_path) == ("forge", "ok", f"pull requests are files under {folder}")
    settings = 'name = "github"\nrepository = "octo/shop"\ntoken_env = "SHOP_TOKEN"\n'
    (tmp_path / "signals.toml").write_text(f"[forge]\n{settings}")
    lines = [_line(tmp_path)]
    monkeypatch.setenv("SHOP_TOKEN", "ghp_made-up")
    lines.append(_line(tmp_path))
    assert lines == [
        ("forge", "broken", "no token for octo/shop: set SHOP_TOKEN, or name another variable "
         "with [forge] token_env"),
        ("forge", "ok", "pull requests go to octo/shop on https://api.github.com"),
    ]  # fmt: skip
