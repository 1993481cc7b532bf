"""How the model of the benchmark turns a want into a call: by schema, by habit, by memory.

It believes what descriptions say, brings names from other agents' tools with it, and sends numbers
as text now and then. It knows nothing of which defect is planted, nor that there is one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_core.model import ToolSchema
from tests.benchmarks.selfrepair_world.jobs import Want

TOOLS = {
    "read": "read_file",
    "edit": "edit_file",
    "find": "search",
    "list": "list_files",
    "run": "run_command",
    "write": "write_file",
}
_HABITS: Mapping[str, Mapping[str, str]] = {
    "read_file": {"path": "file_path"},
    "edit_file": {"path": "file_path", "old_text": "old_string", "new_text": "new_string"},
    "search": {"pattern": "query"},
    "list_files": {"path": "directory"},
    "run_command": {"command": "cmd"},
    "write_file": {"path": "file_path", "content": "text"},
    "submit": {"summary": "message"},
}
Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Temper:
    """How this model is; drawn from the session's seed."""

    habits: bool
    """Names arguments as other agents' tools do."""
    texty: bool
    """Sends numbers as text, and says `completed` for done."""
    vague: bool
    """Misremembers where files lie."""
    from_memory: bool
    """Edits what it remembers rather than what it has just read, until an error tells it not to."""
    heedless: bool
    """Does what an error says only where its prompt tells it to."""
    slow_to_learn: int
    """Errors of a kind until it stops making them in this session."""
    stubborn: int
    """How often it repeats a call after an error that says nothing."""


@dataclass
class Beliefs:
    """What the model holds true in a session."""

    temper: Temper
    schemas: Mapping[str, ToolSchema] = field(default_factory=dict)
    prompt: str = ""
    files: dict[str, str] = field(default_factory=dict)
    """What it has read, by path."""
    lessons: dict[str, int] = field(default_factory=dict)
    """Kind of mistake → how often an error told it so."""
    told_to_read: bool = False
    """The error at hand says that the file has to be read first."""

    def read_briefing(self, prompt: str, tools: Sequence[ToolSchema]) -> None:
        """The system prompt and the tools, as they come with every request."""
        self.prompt, self.schemas = prompt, {tool.name: tool for tool in tools}

    def heeds_errors(self) -> bool:
        """Whether it does what an error says."""
        return not self.temper.heedless or "what to do next" in self.prompt

    def has_learned(self, lesson: str) -> bool:
        """Whether it was told often enough."""
        return self.lessons.get(lesson, 0) >= self.temper.slow_to_learn

    def learn(self, lesson: str) -> None:
        """One more error that says so."""
        self.lessons[lesson] = self.lessons.get(lesson, 0) + 1

    def call(self, want: Want) -> Call:
        """The call that the model makes for a want, of its own accord."""
        tool = TOOLS[want.kind]
        return tool, self.worded(tool, self._arguments(want))

    def worded(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments under the names and in the forms that the model uses."""
        names = _HABITS[tool] if self.temper.habits and not self.has_learned("names") else {}
        texty = self.temper.texty and not self.has_learned("forms")
        return {
            names.get(name, name): str(value).lower() if texty and isinstance(value, int) else value
            for name, value in arguments.items()
        }

    def _arguments(self, want: Want) -> dict[str, Any]:
        path = self.place(want)
        if want.kind == "read":
            return {"path": path, "start_line": 1}
        if want.kind == "list":
            return {"path": path}
        if want.kind == "write":
            return {"path": path, "content": want.text}
        if want.kind == "run":
            return {"command": want.text}
        if want.kind == "find":
            return {"pattern": self.pattern(want.text)}
        return {"path": path, **self.replacement(want)}

    def place(self, want: Want) -> str:
        """The path as the model gives it."""
        is_guessed = self.temper.vague and want.guess and not self.lessons.get("places")
        path = want.guess if is_guessed else want.path
        is_absolute = self._says(TOOLS[want.kind], "path", "absolute")
        return f"/workspace/{path}" if is_absolute and not self.has_learned("roots") else path

    def replacement(self, want: Want) -> dict[str, Any]:
        """What is to be replaced: as read, else as remembered, else as the tool asks for."""
        is_careless = self.temper.from_memory and not self.has_learned("reading")
        known = None if is_careless and not self.told_to_read else self.files.get(want.path)
        exact = None if known is None else exact_text(known, want.text)
        old = exact or want.text
        new = indented_like(want.new, old)
        if self._says("edit_file", "old_text", "regular expression"):
            if not self.has_learned("plain"):
                old = r"\s*".join(re.escape(part) for part in old.split())
        elif self._says("edit_file", "old_text", "line number") and not self.has_learned("plain"):
            old = "".join(f"{n}: {line}" for n, line in enumerate(old.splitlines(True), 1))
        return {"old_text": old, "new_text": new}

    def pattern(self, text: str) -> str:
        """A text to look for, in the form that the tool asks for."""
        if self._says("search", "pattern", "shell pattern") and not self.has_learned("plain"):
            return f"*{text}*"
        described = self._description("search", "pattern")
        shown = "\\(" in described or "backslash" in described
        return re.escape(text) if shown or self.has_learned("escapes") else text

    def _says(self, tool: str, argument: str, words: str) -> bool:
        return words in self._description(tool, argument).lower()

    def _description(self, tool: str, argument: str) -> str:
        schema = self.schemas.get(tool)
        if schema is None:
            return ""
        described = schema.parameters.get("properties", {}).get(argument, {})
        return f"{schema.description}\n{described.get('description', '')}"


def exact_text(content: str, remembered: str) -> str | None:
    """The piece of a file that is the remembered text but for white space."""
    wanted = [" ".join(line.split()) for line in remembered.splitlines()]
    lines = content.splitlines(keepends=True)
    for start in range(len(lines) - len(wanted) + 1):
        piece = lines[start : start + len(wanted)]
        if [" ".join(line.split()) for line in piece] == wanted:
            return "".join(piece)
    return None


def indented_like(text: str, exact: str) -> str:
    """The text with tabs where the exact one has them."""
    if "\t" not in exact:
        return text
    lines = text.splitlines(keepends=True)
    depths = [(len(line) - len(line.lstrip(" "))) // 4 for line in lines]
    pairs = zip(depths, lines, strict=True)
    return "".join("\t" * depth + line.lstrip(" ") for depth, line in pairs)
