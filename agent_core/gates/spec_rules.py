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
_ALWAYS_SUPPLIED = frozenset({"given", "example"})
_ENDING_TOOL = re.compile(r"\bsubmit\b|\bgive up\b|\bgave_up\b", re.IGNORECASE)
_KEPT_TABLES = ("limits", "errors", "error_fields", "aliases", "values")


def spec_problems(change: FileChange, code: str = "") -> Iterator[str]:
    """One line for everything that the change may not do; `code` is the tool's, as patched."""
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
        *_messages(before, after, code),
        *_names(before, after),
        *_parameters(before.get("parameters", {}), after.get("parameters", {})),
    ):
        yield f"{name}: {line}"


@cache
def caps() -> dict[str, tuple[float, float]]:
    """Limit → lowest and highest value that a patch may set."""
    text = _CAPS.read_text(encoding="utf-8")
    return {name: (low, high) for name, (low, high) in tomllib.loads(text)["caps"].items()}


def _vanished(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for table in _KEPT_TABLES:
        for key in before.get(table, {}).keys() - after.get(table, {}).keys():
            yield f"{table}.{key} vanishes"
    for key, fields in before.get("error_fields", {}).items():
        for field in sorted(set(fields) - set(after.get("error_fields", {}).get(key, fields))):
            yield f"error_fields.{key} loses {field}"
    for name in sorted(set(before.get("coerced", ())) - set(after.get("coerced", ()))):
        yield f"{name} is no longer taken as text"
    if before.get("paging") not in (None, after.get("paging")):
        yield "long results no longer come in pages"
    if before and before.get("name") != after.get("name"):
        yield "the tool is renamed"
    description = str(before.get("description", ""))
    if len(str(after.get("description", ""))) < _KEPT_SHARE * len(description):
        yield "the description loses more than half of its text"


def _limits(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, value in after.items():
        if value == before.get(name) and not isinstance(value, bool):
            continue
        low, high = caps().get(name, _near(before.get(name)))
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            yield f"limits.{name} = {value} is out of bounds ({low:g} to {high:g})"


def _near(value: Any) -> tuple[float, float]:
    """Bounds of a limit that the table of caps does not know."""
    if isinstance(value, int | float):
        return value / 10, value * 10
    return 0, 1_000_000


def _messages(before: Mapping[str, Any], after: Mapping[str, Any], code: str) -> Iterator[str]:
    supplied = before.get("error_fields", {})
    for key, template in after.get("errors", {}).items():
        old, new = str(before.get("errors", {}).get(key, "")), str(template)
        if new == old:
            continue
        if len(new.strip()) < min(_SHORTEST_MESSAGE, len(old) or _SHORTEST_MESSAGE):
            yield f"errors.{key} says nothing any more"
        elif len(_words(new)) < _KEPT_SHARE * len(_words(old)):
            yield f"errors.{key} loses more than half of its words"
        named = set(_PLACEHOLDER.findall(new))
        for field in sorted(set(_PLACEHOLDER.findall(old)) - named):
            yield f"errors.{key} no longer names {field}"
        known = _ALWAYS_SUPPLIED | set(supplied.get(key, named))
        for field in sorted(f for f in named - known if f"{f}=" not in code):
            yield f"errors.{key} names {field}, which the tool does not supply"
        if _ENDING_TOOL.search(new) and not _ENDING_TOOL.search(old):
            yield f"errors.{key} sends the agent to the end of its work"


def _words(template: str) -> list[str]:
    return re.findall(r"\w+", _PLACEHOLDER.sub("", template))


def _names(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Other names and values that mean an argument: they may be added, not turned round."""
    properties = after.get("parameters", {}).get("properties", {})
    for name, argument in after.get("aliases", {}).items():
        if name in properties:
            yield f"the argument {name} is turned into {argument}"
        if before.get("aliases", {}).get(name, argument) != argument:
            yield f"aliases.{name} means another argument"
    for argument, values in after.get("values", {}).items():
        accepted = properties.get(argument, {}).get("enum", ())
        known = before.get("values", {}).get(argument, {})
        for value, meant in values.items():
            if value in accepted or known.get(value, meant) != meant:
                yield f"values.{argument}.{value} means another value"
        for value in sorted(known.keys() - values.keys()):
            yield f"values.{argument}.{value} vanishes"


def _parameters(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if not before:
        return
    properties, old = after.get("properties", {}), before.get("properties", {})
    for name in sorted(old.keys() - properties.keys()):
        yield f"the argument {name} vanishes"
    for name in sorted(set(after.get("required", ())) - set(before.get("required", ()))):
        yield f"the argument {name} becomes required"
    for name in sorted(set(before.get("required", ())) - set(after.get("required", ()))):
        if properties.get(name, {}).get("default") is None:
            yield f"the argument {name} is no longer required and has no default"
    for name in old.keys() & properties.keys():
        yield from _checks(name, old[name], properties[name])


def _checks(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old.get("type") != new.get("type"):
        yield f"the argument {name} changes its type"
    if set(old.get("enum", ())) != set(new.get("enum", old.get("enum", ()))) or (
        "enum" in old and "enum" not in new
    ):
        yield f"the argument {name} takes other values"
    if "minimum" in old and new.get("minimum", old["minimum"] - 1) < old["minimum"]:
        yield f"the argument {name} loses its lowest value"
