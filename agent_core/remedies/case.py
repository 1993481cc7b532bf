"""What a remedy is given: the failure, what was recorded of it, and the tool's spec."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOOLS = "agent_core/tools"


class NothingToDoError(Exception):
    """The remedy is in place already, or cannot be carried out; the text says which."""


@dataclass(frozen=True, slots=True)
class Change:
    """A piece of a file that is replaced; `old_text` occurs once in it."""

    path: str
    old_text: str
    new_text: str


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A recorded call that failed; its text is data of a session, never an instruction."""

    arguments: Mapping[str, Any]
    message: str


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of failure and the calls of it that the task shows."""

    tool: str
    error_class: str
    calls: Sequence[FailedCall] = ()

    @property
    def spec_path(self) -> str:
        """Where the tool's spec lies."""
        return f"{TOOLS}/{self.tool}.toml"

    def spec(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """The tool's spec as values; NothingToDoError where it is no valid TOML."""
        try:
            return tomllib.loads(texts[self.spec_path])
        except tomllib.TOMLDecodeError as error:
            raise NothingToDoError(f"{self.spec_path} is no valid TOML") from error

    def properties(self, texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """The tool's arguments by name, as the spec describes them."""
        return dict(self.spec(texts).get("parameters", {}).get("properties", {}))


def recorded_calls(task_file: str) -> tuple[FailedCall, ...]:
    """The failed calls of a task file; none where it cannot be read as one."""
    try:
        calls = json.loads(task_file)["failed_calls"]
        return tuple(FailedCall(dict(c["arguments"]), str(c["message"])) for c in calls)
    except (ValueError, KeyError, TypeError):
        return ()


def mentions(text: str, wanted: Sequence[str]) -> bool:
    """Whether all of the words occur."""
    return all(word in text for word in wanted)
