"""What a patch may do to a tool's spec: raise a limit within reason, say more, never less."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from agent_core.change import FileChange

_CAPS = Path(__file__).parent / "limits.toml"
_SHORTEST_MESSAGE = 15
_KEPT_SHARE = 0.5
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def spec_problems(change: FileChange) -> Iterator[str]:
    """One line for everything that the change may not do."""
    try:
        before = tomllib.loads((change.before or b"").decode())
        after = tomllib.loads((change.after or b"").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        yield f"{change.path} is no valid TOML: {error}"
        return
    name = change.path.rpartition("/")[2]
    for line in (
        *_vanished(before, after),
        *_limits(before.get("limits", {}), after.get("limits", {})),
        *_messages(before.get("errors", {}), after.get("errors", {})),
        *_parameters(before.get("parameters", {}), after.get("parameters", {})),
    ):
        yield f"{name}: {line}"


@cache
def caps() -> dict[str, tuple[float, float]]:
    """Limit → lowest and highest value that a patch may set."""
    text = _CAPS.read_text(encoding="utf-8")
    return {name: (low, high) for name, (low, high) in tomllib.loads(text)["caps"].items()}


def _vanished(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for table in ("limits", "errors", "error_fields", "aliases"):
        for key in before.get(table, {}).keys() - after.get(table, {}).keys():
            yield f"{table}.{key} vanishes"
    for key, fields in before.get("error_fields", {}).items():
        for field in sorted(set(fields) - set(after.get("error_fields", {}).get(key, fields))):
            yield f"error_fields.{key} loses {field}"
    if before and before.get("name") != after.get("name"):
        yield "the tool is renamed"
    description = str(before.get("description", ""))
    if len(str(after.get("description", ""))) < _KEPT_SHARE * len(description):
        yield "the description loses more than half of its text"


def _limits(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, value in after.items():
        if value == before.get(name):
            continue
        low, high = caps().get(name, _near(before.get(name)))
        if not isinstance(value, int | float) or not low <= value <= high:
            yield f"limits.{name} = {value} is out of bounds ({low:g} to {high:g})"


def _near(value: Any) -> tuple[float, float]:
    """Bounds of a limit that the table of caps does not know."""
    if isinstance(value, int | float):
        return value / 10, value * 10
    return 0, 1_000_000


def _messages(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key, template in after.items():
        old = str(before.get(key, ""))
        if template == old:
            continue
        if len(str(template).strip()) < min(_SHORTEST_MESSAGE, len(old) or _SHORTEST_MESSAGE):
            yield f"errors.{key} says nothing any more"
        for field in sorted(set(_PLACEHOLDER.findall(old)) - set(_PLACEHOLDER.findall(template))):
            yield f"errors.{key} no longer names {field}"


def _parameters(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if not before:
        return
    properties = after.get("properties", {})
    for name in sorted(before.get("properties", {}).keys() - properties.keys()):
        yield f"the argument {name} vanishes"
    for name in sorted(set(after.get("required", ())) - set(before.get("required", ()))):
        yield f"the argument {name} becomes required"
