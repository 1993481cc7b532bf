"""The mechanical remedies: the texts of files in, the changes to them out."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent_core.playbook import ActionableError, Guidance, RaiseLimit, TemplateRule
from agent_core.toml_edit import with_value

TOOLS = "agent_core/tools"


class NothingToDoError(Exception):
    """The remedy is in place already, or cannot be carried out; the text says which."""


@dataclass(frozen=True, slots=True)
class Change:
    """A piece of a file that is replaced; `old_text` occurs once in it."""

    path: str
    old_text: str
    new_text: str


def files_needed(remedy: RaiseLimit | ActionableError, tool: str) -> tuple[str, ...]:
    """The files whose texts `changes` needs."""
    spec = f"{TOOLS}/{tool}.toml"
    if isinstance(remedy, ActionableError) and tool in remedy.guidance:
        return (spec, remedy.prompt)
    return (spec,)


def changes(
    remedy: RaiseLimit | ActionableError, tool: str, error_class: str, texts: Mapping[str, str]
) -> tuple[Change, ...]:
    """What carries the remedy out; NothingToDoError when there is nothing to change."""
    spec_path = f"{TOOLS}/{tool}.toml"
    try:
        spec = tomllib.loads(texts[spec_path])
    except tomllib.TOMLDecodeError as error:
        raise NothingToDoError(f"{spec_path} is no valid TOML") from error
    wanted = dict(texts)
    if isinstance(remedy, RaiseLimit):
        wanted[spec_path] = _raised(remedy, tool, spec, texts[spec_path])
    else:
        wanted[spec_path] = _actionable(remedy, tool, error_class, spec, texts[spec_path])
        if tool in remedy.guidance:
            wanted[remedy.prompt] = _guided(remedy.guidance[tool], texts[remedy.prompt])
    changed = [path for path in texts if texts[path] != wanted[path]]
    if not changed:
        raise NothingToDoError(f"the remedy for {error_class} in {tool} is in place already")
    return tuple(_change(path, texts[path], wanted[path]) for path in changed)


def _raised(remedy: RaiseLimit, tool: str, spec: Mapping[str, Any], text: str) -> str:
    rule = remedy.limits.get(tool)
    if rule is None:
        raise NothingToDoError(f"the playbook names no limit of {tool}")
    value = spec.get("limits", {}).get(rule.name)
    if not isinstance(value, int | float):
        raise NothingToDoError(f"the spec of {tool} has no limit {rule.name}")
    if value >= rule.cap:
        raise NothingToDoError(f"{rule.name} of {tool} is {value:g} already, the cap {rule.cap:g}")
    raised = min(value * rule.factor, rule.cap)
    return with_value(text, "limits", rule.name, int(raised) if raised == int(raised) else raised)


def _actionable(
    remedy: ActionableError, tool: str, error_class: str, spec: Mapping[str, Any], text: str
) -> str:
    rule = remedy.templates.get(tool, {}).get(error_class)
    if rule is None:
        raise NothingToDoError(f"the playbook has no message for {error_class} of {tool}")
    template = spec.get("errors", {}).get(error_class, "")
    if _mentions(template, rule.mentions):
        return text
    supplied = set(spec.get("error_fields", {}).get(error_class, ()))
    if missing := _fields(rule) - supplied:
        raise NothingToDoError(f"{tool} does not supply {', '.join(sorted(missing))}")
    return with_value(text, "errors", error_class, rule.template)


def _fields(rule: TemplateRule) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", rule.template))


def _guided(guidance: Guidance, prompt: str) -> str:
    lines = prompt.splitlines(keepends=True)
    header = f"## {guidance.section}"
    start = next((i for i, line in enumerate(lines) if line.strip() == header), None)
    if start is None:
        return f"{prompt.rstrip()}\n\n{header}\n- {guidance.line}\n"
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("#")), len(lines))
    if any(_mentions(line, guidance.mentions) for line in lines[start:end]):
        return prompt
    while not lines[end - 1].strip():
        end -= 1
    return "".join([*lines[:end], f"- {guidance.line}\n", *lines[end:]])


def _mentions(text: str, wanted: tuple[str, ...]) -> bool:
    return all(word in text for word in wanted)


def _change(path: str, old: str, new: str) -> Change:
    """The lines that differ, widened upwards until they occur once."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    blocks = difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    edits = [block for block in blocks if block[0] != "equal"]
    a1, b1, a2, b2 = edits[0][1], edits[0][3], edits[-1][2], edits[-1][4]
    while a1 and (a1 == a2 or old.count("".join(before[a1:a2])) != 1):
        a1, b1 = a1 - 1, b1 - 1
    return Change(path, "".join(before[a1:a2]), "".join(after[b1:b2]))
