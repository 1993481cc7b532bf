"""Which forge, and how it is asked."""

from dataclasses import dataclass

GITHUB_API = "https://api.github.com"
TOKEN_ENV = "GITHUB_TOKEN"


@dataclass(frozen=True, slots=True)
class ForgeSettings:
    """Of `[forge]` in signals.toml; the token itself is never among them."""

    name: str = "local"
    repository: str | None = None
    """`owner/name`; `github` needs it."""
    base: str | None = None
    """The branch that is to take the change; None: the repository's default branch."""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    """Names of people, or `organisation/team`."""
    draft: bool = True
    api_url: str = GITHUB_API
    token_env: str = TOKEN_ENV
    """The environment variable that holds the token."""
