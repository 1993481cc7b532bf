"""What an attempt at a patch task came to."""

from dataclasses import dataclass
from typing import Literal

from agent_core.gates import GateResult

Status = Literal["proposed", "failed", "unscored"]


@dataclass(frozen=True, slots=True)
class PatchOutcome:
    """An attempt; a proposal has a branch, a commit and a pull request.

    The others have none, but for one whose pull request alone could not be opened.
    """

    status: Status
    """`unscored`: a patch that could not be checked, for example without a sandbox."""
    reason: str
    """A closed sentence: no text of a model, of a session or of the patch.

    A forge's own words may follow.
    """
    session_id: str | None
    """The core's own session that made the patch."""
    base_commit: str
    branch: str | None
    commit_sha: str | None
    pr_path: str | None
    """Where a person reads the pull request: a file's path or a URL."""
    diff: str
    gate_results: tuple[GateResult, ...]
    policy: str
    sandbox: str | None
