"""How the model of the benchmark reads a result: what it says to do next, if it says anything.

Every reaction goes by the words of the message alone.
"""

import json
import re
from typing import Any

from tests.benchmarks.selfrepair_world.beliefs import Beliefs, Call, exact_text, indented_like
from tests.benchmarks.selfrepair_world.jobs import Want

_SYNONYMS = {"completed": "done", "success": "done"}


def next_call(want: Want, call: Call, said: str, beliefs: Beliefs) -> Call | None:
    """The call that the message asks for; None where it says nothing that helps."""
    if not beliefs.heeds_errors():
        return None
    for reaction in (_renamed, _in_other_form, _escaped, _relative, _similar, _smaller, _by_hint):
        found = reaction(want, call, said, beliefs)
        if found is not None and found != call:
            return found
    return None


def pointed_on(call: Call, said: str) -> Call | None:
    """The call for the next part, where a result says that there is more."""
    tool, arguments = call
    found = re.search(r"(?:read on|go on) with (\w+)=(\d+)", said)
    if found is None:
        return None
    return tool, {**arguments, found.group(1): int(found.group(2))}


def _renamed(want: Want, call: Call, said: str, beliefs: Beliefs) -> Call | None:
    """Names that the message lists, in the place of habitual ones."""
    tool, arguments = call
    schema = beliefs.schemas[tool].parameters["properties"]
    unknown = [name for name in arguments if name not in schema]
    if not unknown or not any(re.search(rf"\b{name}\b", said) for name in schema):
        return None
    beliefs.learn("names")
    temper_names = beliefs.worded(tool, dict.fromkeys(schema, ""))
    by_habit = dict(zip(temper_names, schema, strict=True))
    from_habit = {habit: name for habit, name in by_habit.items() if habit in unknown}
    if not from_habit:
        from_habit = {name: _named_by(tool, name) for name in unknown}
    return tool, {from_habit.get(name, name): value for name, value in arguments.items()}


def _named_by(tool: str, habit: str) -> str:
    common = {"file_path": "path", "old_string": "old_text", "new_string": "new_text",
              "query": "pattern", "directory": "path", "cmd": "command", "message": "summary",
              "text": "content"}  # fmt: skip
    return common.get(habit, habit)


def _in_other_form(want: Want, call: Call, said: str, beliefs: Beliefs) -> Call | None:
    tool, arguments = call
    if "must be a integer" in said or "must be a boolean" in said:
        beliefs.learn("forms")
        return tool, {name: _plain(value) for name, value in arguments.items()}
    if "must be one of" in said:
        beliefs.learn("forms")
        return tool, {n: _SYNONYMS.get(str(v), v) for n, v in arguments.items()}
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d+|true|false", value):
        return json.loads(value)
    return value


def _escaped(want: Want, call: Call, said: str, beliefs: Beliefs) -> Call | None:
    tool, arguments = call
    if want.kind != "find" or not re.search(r"regular expression|\\\\?\(", said):
        return None
    beliefs.learn("escapes")
    beliefs.learn("plain")
    name = next(iter(arguments))
    return tool, {**arguments, name: re.escape(want.text)}


def _relative(want: Want, call: Call, said: str, beliefs: Beliefs) -> Call | None:
    tool, arguments = call
    if not re.search(r"outside the workspace|below it|leading slash|relative", said):
        return None
    beliefs.learn("roots")
    return tool, {
        name: value.removeprefix("/workspace/") if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _similar(want: Want, call: Call, said: str, beliefs: Beliefs) -> Call | None:
    """The first of the similar files that the message names, or the folder left out."""
    tool, arguments = call
    found = re.search(r"Similar files: ([\w./-]+\.\w+)", said)
    named = next((n for n, v in arguments.items() if v in {want.guess, want.path}), None)
    if found is not None and named is not None and want.guess:
        beliefs.learn("places")
        return tool, {**arguments, named: found.group(1).rstrip(".,")}
    # That it is a default which fails only some models guess, unless the message says so.
    if "does not exist" not in said or (beliefs.temper.vague and "directory" not in said):
        return None
    folder = {"run_command": "directory", "search": "path"}.get(tool)
    return None if folder is None else (tool, {**arguments, folder: "."})


def _smaller(want: Want, call: Call, said: str, beliefs: Beliefs) -> Call | None:
    tool, arguments = call
    if not want.quick or "smaller part" not in said:
        return None
    return tool, {next(iter(arguments)): want.quick}


def _by_hint(want: Want, call: Call, said: str, beliefs: Beliefs) -> Call | None:
    """Another tool that the message sends it to."""
    if want.kind == "edit" and "read_file" in said:
        beliefs.learn("reading")
        beliefs.learn("plain")
        beliefs.told_to_read = True
        return "read_file", beliefs.worded("read_file", {"path": want.path})
    if want.kind in {"read", "list"} and "list_files" in said and beliefs.temper.vague:
        beliefs.learn("places")
        return call[0], {**call[1], next(iter(call[1])): want.path}
    if want.kind == "read" and "sed -n" in said:
        command = f"grep -n '{want.sees}' {want.path}"
        return "run_command", beliefs.worded("run_command", {"command": command})
    return None


def rewritten(content: str, want: Want) -> str | None:
    """A file's whole text with the edit made; None where its place is not found."""
    exact = exact_text(content, want.text)
    return None if exact is None else content.replace(exact, indented_like(want.new, exact), 1)
