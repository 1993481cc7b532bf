"""A branch on a git server over HTTP(S): looked at, fetched and pushed, never forced.

The token reaches git through the environment of that one process and a credential helper that is
given there too: it stands in no URL, no argument and no configuration file, and no other helper,
which might store it, is asked.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from agent_core.errors import ForgeError
from agent_core.markdown import one_line

_TIMEOUT_SECONDS = 600
_TOKEN_VARIABLE = "SIGNALS_FORGE_TOKEN"
_HELPER = (
    '!f() { test "$1" = get && printf "username=x-access-token\\npassword=%s\\n" '
    f'"${_TOKEN_VARIABLE}"; }}; f'
)
# The repository's hooks are code of others; `--follow-tags` and submodules would push more than
# the branch; a redirect could lead the token to another host.
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "push.followTags": "false",
    "push.recurseSubmodules": "no",
    "push.gpgSign": "false",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
    "credential.helper": "",
}


_NOT_IN_BRANCHES = frozenset(" :*?[\\^~\t\n")
_KEPT_VARIABLES = ("GIT_SSL_", "GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")


class Tips(NamedTuple):
    """Commits of the server, present in the repository; None where there is no such branch."""

    base: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class GitRemote:
    """One repository on a server, seen from the clone in `folder`."""

    folder: Path
    url: str
    token: str = field(repr=False)
    token_env: str

    def tips(self, base: str, branch: str) -> Tips:
        """Fetch both branches. Raises ForgeError."""
        if set(base) & _NOT_IN_BRANCHES:
            raise ForgeError(f"{self.url}: {base!r} is no name for a branch: set [forge] base")
        wanted = [f"refs/heads/{name}" for name in (base, branch)]
        listed = self._git("ls-remote", self.url, *wanted).splitlines()
        found = {ref: sha for sha, ref in (line.split("\t", 1) for line in listed)}
        refs = [ref for ref in wanted if ref in found]
        if refs:
            # Into no ref: a killed fetch then leaves no lock behind. Git keeps for two weeks
            # what nothing points at.
            options = ("--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
            self._git("fetch", "--quiet", *options, self.url, *refs)
        return Tips(*(found.get(ref) for ref in wanted))

    def push(self, commit_sha: str, branch: str) -> None:
        """Set the branch to a commit that follows what it has. Raises ForgeError."""
        self._git("push", "--quiet", "--no-verify", self.url, f"{commit_sha}:refs/heads/{branch}")

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether `of` holds the commit."""
        done = self._run("merge-base", "--is-ancestor", commit, of)
        return done.returncode == 0

    def people_between(self, base: str, tip: str, own_email: str) -> list[str]:
        """Commits of `tip` that `base` lacks and that another than we made, newest first."""
        lines = self._git("log", "--format=%H%x09%ae%x09%ce", f"{base}..{tip}").splitlines()
        rows = [line.split("\t") for line in lines]
        return [row[0] for row in rows if row[1:] != [own_email, own_email]]

    def _git(self, *command: str) -> str:
        done = self._run(*command)
        if done.returncode:
            raise ForgeError(f"{self.url}: {self._meaning(done.stderr, command[0])}")
        return done.stdout

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["git", "-C", str(self.folder), *command],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ForgeError(
                f"{self.url}: git {command[0]} took longer than {_TIMEOUT_SECONDS} s; run again"
            ) from None
        except FileNotFoundError:
            raise ForgeError("git is not installed: install it, patches are git branches") from None

    def _environment(self) -> Mapping[str, str]:
        """This process's, without what makes git trace, ask, or look elsewhere."""
        parts = urlsplit(self.url)
        host = f"{parts.scheme}://{parts.netloc}"
        # Asked for this host only: what a rewritten URL leads to gets no token. A CI's checkout
        # leaves a header of its own in the configuration, which would go along with ours.
        own = {f"credential.{host}.helper": _HELPER, f"http.{host}/.extraHeader": ""}
        settings = list({**_SETTINGS, **own}.items())
        kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
        given = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings):
            given |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return {
            **kept,
            **given,
            "GIT_TERMINAL_PROMPT": "0",
            "GCM_INTERACTIVE": "never",
            "LC_ALL": "C",
            _TOKEN_VARIABLE: self.token,
        }

    def _meaning(self, said: str, verb: str) -> str:
        """What git's words mean here, and the remedy."""
        for words, meaning in (
            ("fetch first", "somebody pushed to the branch meanwhile; run the task again"),
            ("non-fast-forward", "somebody pushed to the branch meanwhile; run the task again"),
            ("protected branch", "the branch is protected against the token's owner"),
            ("could not read Username", f"the token in {self.token_env} was refused"),
            ("Authentication failed", f"the token in {self.token_env} was refused"),
            ("error: 403", f"the token in {self.token_env} may not write contents"),
            ("not found", f"not found, or the token in {self.token_env} may not see it"),
            ("error: 301", "the repository has moved: set [forge] repository to its new name"),
        ):
            if words in said:
                return meaning
        lines = [line for line in said.splitlines() if line.startswith(("fatal:", "error:", "!"))]
        shown = one_line(lines[0], 200) if lines else "git gave no reason"
        return f"git {verb} failed ({shown}); run the task again later"


def _is_kept(variable: str) -> bool:
    return not variable.startswith("GIT_") or variable.startswith(_KEPT_VARIABLES)
