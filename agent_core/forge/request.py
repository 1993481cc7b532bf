"""What a forge is given and what it says."""

from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["open", "merged", "closed", "none"]


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A proposal: its branch exists in the target repository when it is published."""

    task_id: str
    title: str
    """One line of plain text."""
    branch: str
    commit_sha: str
    text: str
    """Markdown: evidence, cause, change, gate results, risk, expected effect."""
    diff: str = ""
    """Unified; a forge that shows the branch's own difference leaves it out."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where a person reads it."""

    url: str
    """A URL, or a file's path."""
    number: int | None = None
    notes: tuple[str, ...] = ()
    """One line for each thing that was asked for and could not be done, such as a label."""


@dataclass(frozen=True, slots=True)
class ForgeStatus:
    """What became of the newest pull request of a branch."""

    state: State
    """`closed`: by a person, without a merge; `none`: there is no pull request."""
    reason: str = ""
    """Of a closed one: the person's words as data, one short line, see `persons_words`."""


class Forge(Protocol):
    """One pull request a task; a rerun of the task updates it. It never merges."""

    def tip(self, branch: str, base_commit: str) -> str | None:
        """The commit that a new one on the branch must follow; None: the branch may be set anew.

        Asked before the work and again before the commit. Raises ForgeError where a person's
        work or decision stands in the way, and where the forge cannot be reached.
        """

    def publish(self, request: PullRequest) -> Published:
        """Open the branch's pull request or update it. Raises ForgeError.

        Done twice it comes to the same: what a lost connection left half done is gone on with.
        """

    def status(self, branch: str) -> ForgeStatus:
        """What became of it. Raises ForgeError where the forge cannot say."""
