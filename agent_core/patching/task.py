"""A patch task: what hurts, since when, how it shows, and how one knows that it is gone."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from agent_core.errors import BadInputError

TASK_FILE = ".signals/task.json"
"""Where the agent finds its task in its workspace:

`{"task": {…fields of PatchTask}, "patchable": [folder, …],
  "failed_calls": [{"session_id", "number", "tool", "arguments", "error_class", "message"}, …],
  "served_calls": [{"session_id", "number", "tool", "arguments"}, …],
  "earlier": [{…fields of Lesson}, …]}`

The calls are the visible half of the core's own records; at most a dozen of each kind. `earlier`
is what was tried for tasks like this one and how that ended.
"""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")


@dataclass(frozen=True, slots=True)
class PatchTask:
    """Abstracted: it quotes no session."""

    task_id: str
    """Letters, digits, `-` and `_`: it names a branch and files."""
    title: str
    type: str
    """The moment's type, for example `error_event`."""
    tool: str | None = None
    error_class: str | None = None
    error_signatures: tuple[str, ...] = ()
    """Salted, `class:hash`; empty: every failure of the tool with the class."""
    evidence: tuple[str, ...] = ()
    suspected_cause: str = ""
    acceptance: str = ""
    affected_sessions: tuple[str, ...] = ()
    """Ids of the core's own sessions, whose records are replayed."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.task_id):
            raise BadInputError(
                f"task id {self.task_id!r} cannot name a branch: use letters, digits, - and _"
            )

    def to_dict(self) -> dict[str, Any]:
        """For JSON: tuples become lists there."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The reverse; unknown keys are ignored, a missing one is a BadInputError."""
        known = {field.name for field in fields(cls)}
        kept: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in known
        }
        try:
            return cls(**kept)
        except TypeError as error:
            raise BadInputError(f"a patch task lacks a field: {error}") from None
