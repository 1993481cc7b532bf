"""What is patched: a git repository, the files a patch may touch, the commands that check it."""

from dataclasses import dataclass, field
from pathlib import Path

from agent_core.errors import TargetError
from agent_core.forge import ForgeSettings
from agent_core.release import PATCHABLE

CORE_TESTS = (
    *("-m", "pytest", "tests/agent_core", "-q", "-p", "no:cacheprovider"),
    *("-m", "not slow and not shared and not browser"),
)
# What the agent must not see: answers of the gates, recorded sessions, planted defects.
CORE_HELD_OUT = ("agent_core/gates/scenarios/held_out", "data", "tests/benchmarks")


@dataclass(frozen=True, slots=True)
class Target:
    """The patient of a patch task."""

    repo: Path
    patchable: tuple[str, ...] = PATCHABLE
    """Folders or files, relative to the repository's root."""
    held_out: tuple[str, ...] = CORE_HELD_OUT
    """Left out of the copy that the agent works on."""
    test_command: tuple[str, ...] = CORE_TESTS
    """Of the core, arguments of this Python; of another target, a program and its arguments.

    Run in the patched tree; empty where a foreign target names none.
    """
    lint_command: tuple[str, ...] = ()
    """Of a foreign target, a program and its arguments."""
    is_core: bool = True
    """The bundled core: its style is checked, its calls replayed, its scenarios run."""
    forge: ForgeSettings = field(default_factory=ForgeSettings)


def bundled_target(repo: Path | None = None) -> Target:
    """The core in `repo`, or in the checkout that this package runs from.

    Raises TargetError where that is no git repository.
    """
    found = repo or Path(__file__).resolve().parents[2]
    if not (found / ".git").exists():
        raise TargetError(
            f"{found} is no git repository: name a checkout of the agent under [target] repo "
            "in signals.toml"
        )
    return Target(found.resolve())
