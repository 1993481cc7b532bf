"""What a patch may do to a tool's code: nothing that reaches past the tool, no failure hidden."""

import ast
from collections import Counter
from collections.abc import Iterator

from agent_core.change import FileChange

# A tool's code computes on texts and paths; everything else it gets from its context.
_HARMLESS_MODULES = frozenset(
    {
        *("abc", "ast", "bisect", "collections", "contextlib", "dataclasses", "datetime"),
        *("difflib", "enum", "fnmatch", "functools", "heapq", "itertools", "json", "math"),
        *("operator", "pathlib", "re", "shlex", "statistics", "string", "textwrap", "tomllib"),
        *("typing", "unicodedata"),
        *("agent_core.toolkit", "agent_core.condense", "agent_core.signature"),
        *("agent_core.sandbox", "agent_core.session"),
    }
)
_FORBIDDEN_NAMES = frozenset(
    {"eval", "exec", "compile", "globals", "locals", "vars", "setattr", "delattr", "breakpoint"}
    | {"__import__", "__builtins__", "__file__", "open", "input", "print"}
)
_FORBIDDEN_ATTRIBUTES = frozenset(
    {"environ", "getenv", "_exit", "modules", "system", "popen", "settrace", "_getframe"}
    | {"__dict__", "__class__", "__globals__", "__subclasses__", "__code__", "__builtins__"}
)
_BROAD = frozenset({"Exception", "BaseException"})
_SILENCERS = ("# noqa", "# type: ignore", "# pragma")


def code_problems(change: FileChange) -> Iterator[str]:
    """One line for everything new in the code that it may not hold, or that vanished from it."""
    name = change.path.rpartition("/")[2]
    old_text, new_text = (
        (c or b"").decode("utf-8", "replace") for c in (change.before, change.after)
    )
    try:
        before, after = ast.parse(old_text), ast.parse(new_text)
    except (SyntaxError, ValueError) as error:
        yield f"{name} is no valid Python: {error}"
        return
    for what, wording in (
        (_imports, "imports {}"),
        (_reaching, "uses {}"),
        (_broad_handlers, "catches {}"),
    ):
        for item in sorted((Counter(what(after)) - Counter(what(before))).keys()):
            yield f"{name} newly {wording.format(item)}"
    for code in sorted(set(_raised(before)) - set(_raised(after))):
        yield f"{name} no longer fails with {code}"
    for silencer in _SILENCERS:
        if new_text.count(silencer) > old_text.count(silencer):
            yield f"{name} silences a check ({silencer})"


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        yield from (name for name in names if not _is_harmless(name))


def _is_harmless(module: str) -> bool:
    parts = module.split(".")
    return any(".".join(parts[:n]) in _HARMLESS_MODULES for n in range(1, len(parts) + 1))


def _reaching(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _FORBIDDEN_NAMES:
            yield node.id
        elif isinstance(node, ast.Attribute) and node.attr in _FORBIDDEN_ATTRIBUTES:
            yield node.attr


def _broad_handlers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield "everything"
            for part in ast.walk(node.type) if node.type is not None else ():
                if isinstance(part, ast.Name) and part.id in _BROAD | {"ToolError"}:
                    yield part.id
        elif isinstance(node, ast.Call) and _called(node) == "suppress":
            yield "errors by suppress()"


def _raised(tree: ast.Module) -> Iterator[str]:
    """The error codes, with their case, that the code can fail with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) == "ToolError" and node.args:
            case = next((k.value for k in node.keywords if k.arg == "case"), None)
            suffix = f" ({ast.unparse(case)})" if case is not None else ""
            yield ast.unparse(node.args[0]) + suffix


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
