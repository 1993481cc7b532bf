"""Whether a breach is of a cause that a patch task covers: by pattern, signature and meaning.

Patterns decide where they speak. The same type, tool and class is one cause, and so is a signature
that both name at tools that may be one. Two known classes that differ are two causes. Where they
leave it open (a tool of another name, a class that is `other` on one side) the cosine of the two
descriptions decides; `tests/benchmarks/task_dedup.py` measures it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from judges.rules.vocabulary import KNOWN_TOOLS, actions

Ground = Literal["pattern", "signature", "meaning", "explained", "opened"]
"""Why a breach is a task's: `explained` by the sessions of exact breaches (pipelines.task_joins),
`opened` where the task was opened for it.
"""

_CATCH_ALL = frozenset({"other", "command_failed", "api_error"})
"""Classes that hold unlike failures: here the signature counts."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a breach or a task is compared by; abstracted, as all that tasks hold."""

    agent: str
    type: str
    """Counts where neither signature, cluster nor tool alone names the pattern."""
    tool: str | None
    """Of a signature or a cluster: the tool and class that most of its moments name."""
    error_class: str | None
    signatures: frozenset[str] = frozenset()
    """Salted, `class:hash`, of the failures that show it; empty: none is known."""
    cluster_id: str | None = None
    text: str = ""
    """Names and evidence without figures: what is embedded."""


class Match(NamedTuple):
    """The task that covers a breach, and why."""

    task_id: str
    ground: Ground
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Means:
    """What matching goes by besides the causes."""

    similarity: Callable[[str, str], float | None]
    """Cosine of two texts; None where one of them has no vector."""
    threshold: float
    tools: frozenset[str] = frozenset()
    """Tools that the target has now: of two of them, neither is the other's new name."""


def find_match(found: Cause, tasks: Iterable[tuple[str, Cause]], means: Means) -> Match | None:
    """The first task of the same pattern, else of the same signature, else the nearest in meaning
    from the threshold on; None where there is none.
    """
    known = list(tasks)
    for task_id, cause in known:
        if has_same_pattern(found, cause):
            return Match(task_id, "pattern", None)
    for task_id, cause in known:
        if has_same_signature(found, cause, means.tools):
            return Match(task_id, "signature", None)
    near = [
        Match(task_id, "meaning", cosine)
        for task_id, cause in known
        if is_undecided(found, cause, means.tools)
        and (cosine := means.similarity(found.text, cause.text)) is not None
        and cosine >= means.threshold
    ]
    return max(near, key=lambda match: match.similarity or 0.0, default=None)


def has_same_pattern(found: Cause, task: Cause) -> bool:
    """The same type, tool and class, or the same cluster; of a catch-all class, no other signature.

    A remedy acts on a tool and a class: two tasks for them would undo each other's work.
    """
    if found.agent != task.agent or _parts(found) != _parts(task):
        return False
    if found.error_class is None or (found.tool and found.error_class not in _CATCH_ALL):
        return True
    unknown = not (found.signatures and task.signatures)
    return unknown or bool(found.signatures & task.signatures)


def _parts(cause: Cause) -> tuple[str | None, ...]:
    if cause.tool and cause.error_class:
        return ("error", cause.type, cause.tool, cause.error_class)
    if cause.cluster_id:
        return ("cluster", cause.cluster_id)
    if cause.tool or cause.error_class:
        return ("tool or class", cause.tool, cause.error_class)
    return ("type", cause.type)


def has_same_signature(found: Cause, task: Cause, tools: frozenset[str]) -> bool:
    """A failure that both name, where their tools may be one or one of them names none."""
    named = found.error_class is not None and task.error_class is not None
    return (
        found.agent == task.agent
        and named
        and bool(found.signatures & task.signatures)
        and may_be_one(found.tool, task.tool, tools)
    )


def is_undecided(found: Cause, task: Cause, tools: frozenset[str]) -> bool:
    """Whether the patterns leave it open that both are of one cause.

    They do not where agent or type differ, where two classes are known and are not the same, where
    the tools are known to be two, and where one of the two names no tool or class: what follows
    from another breach is found by the sessions they share, not by its words.
    """
    if found.agent != task.agent or _parts(found) == _parts(task):
        return False
    if found.type != task.type or found.tool is None or task.tool is None:
        return False
    if found.error_class is None or task.error_class is None:
        return False
    classes = {found.error_class, task.error_class}
    same_class = len(classes) == 1 or "other" in classes
    return same_class and may_be_one(found.tool, task.tool, tools)


def may_be_one(tool: str | None, other: str | None, tools: frozenset[str]) -> bool:
    """Whether two tools may be one under two names; where one is not named, they may.

    Of two that the target has now they are not; of known ones, where they do different things.
    """
    if tool == other or tool is None or other is None:
        return True
    if tool in tools and other in tools:
        return False
    if tool in KNOWN_TOOLS and other in KNOWN_TOOLS:
        return actions([tool]) == actions([other])
    return True
