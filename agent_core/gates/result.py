"""What a gate says, and what it looks at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from agent_core.change import FileChange
from agent_core.model import ChatModel
from agent_core.replay_records import ReplaySet
from agent_core.sandbox import Sandbox

GateName = Literal["scope", "style", "unit tests", "replay", "scenarios", "self-review"]
GateStatus = Literal["passed", "failed", "unscored"]

EVIDENCE_PURGED = "evidence purged"
FOREIGN = "foreign target"
NO_MODEL = "no model"
NO_SANDBOX = "no sandbox works on this machine; `signals doctor` names the remedy"


class Finding(NamedTuple):
    """A gate's verdict with its reason, one line."""

    status: GateStatus
    reason: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate's finding on one patch, a row and a line of the pull request."""

    gate: GateName
    status: GateStatus
    reason: str
    seconds: float

    @property
    def blocks(self) -> bool:
        """Whether no pull request may be proposed.

        What could not be checked blocks like what failed, but for evidence that its owner
        purged, for what only the bundled core has, and for the review by a model where there is
        none.
        """
        if self.status == "unscored":
            return not self.reason.startswith((EVIDENCE_PURGED, FOREIGN, NO_MODEL))
        return self.status == "failed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patch before the gates."""

    changes: tuple[FileChange, ...]
    """All that the agent changed, also where it may not."""
    diff: str
    description: str
    """The task: title, evidence, suspected cause."""
    patchable: tuple[str, ...]
    base_commit: str
    base: Path
    """A checkout of the base commit."""
    tree: Path
    """The base commit plus those of the changes that are allowed."""
    scratch: Path
    """An empty folder for the gates' own files, removed after the attempt."""
    cache: Path
    """Kept between attempts: what was learned of unchanged files and of the base."""
    test_command: tuple[str, ...]
    is_core: bool
    calls: ReplaySet
    sandbox: Sandbox | None
    reviewer: ChatModel | None
    lint_command: tuple[str, ...] = ()
    """Of a foreign target; `test_command` is a whole one there too."""

    def changed(self, suffix: str) -> list[str]:
        """Paths that the patch leaves in the tree, by the end of their name."""
        return [c.path for c in self.changes if c.path.endswith(suffix) and c.after is not None]


Gate = Callable[[Candidate], Finding]
