"""What a patch may do to a tool's code: nothing that reaches past the tool, no failure hidden.

Every rule lists something of the code; what a patch adds to such a list is a problem. So is what
it takes from the failures that the code can tell of. Code that is there already is not judged.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator

from agent_core.change import FileChange
from agent_core.gates.code_names import imports, reached
from agent_core.signature import ERROR_CLASSES

_BROAD = frozenset({"Exception", "BaseException", "ToolError"})
_CONSTANT_MAKERS = frozenset({"re.compile", "frozenset", "tuple", "Shape"})
_CHANGING = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"}
    | {"remove", "setdefault", "update"}
)
_SILENCER = re.compile(
    r"#\s*(?:ruff\s*:\s*)?noqa|#\s*type\s*:\s*ignore|#\s*(?:pragma|mypy|fmt|isort|pyright)\b",
    re.IGNORECASE,
)
_ENCODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)")
_GATES = re.compile(
    r"replay|scenario|scratch|pytest|signals_|held.?out|workspace-|^/(?:tmp|proc|root|home)",
    re.IGNORECASE,
)


def code_problems(change: FileChange) -> Iterator[str]:
    """One line for everything new in the code that it may not hold, or that vanished from it."""
    name = change.path.rpartition("/")[2]
    old, new = change.before or b"", change.after or b""
    if encoding := _encoding(new):
        yield f"{name} declares the encoding {encoding}: what is read is not what runs"
        return
    try:
        before, after = ast.parse(old), ast.parse(new)
    except (SyntaxError, ValueError) as error:
        yield f"{name} is no valid Python: {error}"
        return
    for what, wording in _RULES:
        for item in sorted((Counter(what(after)) - Counter(what(before))).keys()):
            yield f"{name} newly {wording.format(item)}"
    yield from (f"{name} no longer fails with {code}" for code in _vanished(before, after))
    yield from _silencers(name, old, new)


def _encoding(source: bytes) -> str | None:
    """An encoding other than UTF-8: in UTF-7 a comment may hold a line of code."""
    for line in source.splitlines()[:2]:
        found = _ENCODING.match(line)
        if found and found.group(1).lower() not in {b"utf-8", b"utf8"}:
            return found.group(1).decode()
    return None


def _swallowed(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            parts = [] if node.type is None else list(ast.walk(node.type))
            if node.type is None:
                yield "everything"
            yield from (p.id for p in parts if isinstance(p, ast.Name) and p.id in _BROAD)
        elif isinstance(node, ast.Call) and _called(node) == "suppress":
            yield "errors by suppress()"
        elif isinstance(node, ast.Try):
            yield from _carried_on(node)


def _carried_on(node: ast.Try) -> Iterator[str]:
    """Handlers around the tool's own work after which the call serves all the same."""
    does_work = any(
        isinstance(n, ast.Name) and n.id == "context" for b in node.body for n in _in(b)
    )
    for handler in node.handlers if does_work else ():
        if not any(isinstance(part, ast.Raise) for part in handler.body):
            yield f"{ast.unparse(handler.type) if handler.type else 'everything'} and goes on"
    if any(
        isinstance(p, ast.Return | ast.Break | ast.Continue) for b in node.finalbody for p in _in(b)
    ):
        yield "every error by leaving in finally"


def _kept_in_mind(tree: ast.Module) -> Iterator[str]:
    """What outlives a call: a tool that counts its calls can behave once and not again."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield f"{', '.join(node.names)} between calls"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (f"what @{ast.unparse(d)} keeps" for d in node.decorator_list)
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            yield from (ast.unparse(d) for d in defaults if not isinstance(d, ast.Constant))
        elif isinstance(node, ast.ClassDef):
            yield f"state in the class {node.name}"
    yield from _changed_globals(tree)


def _changed_globals(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        value = getattr(statement, "value", None)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and value is not None:
            calls = [n for n in ast.walk(value) if isinstance(n, ast.Call)]
            made = (ast.unparse(call.func) for call in calls)
            yield from (f"what {name}() makes" for name in made if name not in _CONSTANT_MAKERS)
    names = {name for statement in tree.body for name in _assigned(statement)}
    changed = (_changed(node) for node in ast.walk(tree))
    yield from (f"{name} between calls" for name in changed if name in names)


def _changed(node: ast.AST) -> str | None:
    """What a statement changes in its place: `seen` in `seen.append(1)` and in `seen[1] = 2`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return ast.unparse(node.func.value) if node.func.attr in _CHANGING else None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return ast.unparse(node.value)
    return None


def _assigned(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _run_at_import(tree: ast.Module) -> Iterator[str]:
    plain = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)
    for statement in tree.body:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_text and not isinstance(statement, plain):
            yield ast.unparse(statement).splitlines()[0][:60]


def _places(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (found.group(0) for found in _GATES.finditer(node.value))


def _vanished(before: ast.Module, after: ast.Module) -> Iterator[str]:
    yield from sorted((Counter(_raised(before)) - Counter(_raised(after))).keys())
    yield from sorted(_named_classes(before) - _named_classes(after) - set(_raised(after)))


def _raised(tree: ast.Module) -> Iterator[str]:
    """The error codes, with their case, that the code can fail with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) == "ToolError" and node.args:
            case = next((k.value for k in node.keywords if k.arg == "case"), None)
            suffix = f" ({ast.unparse(case)})" if case is not None else ""
            yield ast.unparse(node.args[0]) + suffix


def _named_classes(tree: ast.Module) -> set[str]:
    """Error classes that the code names without failing there: it picks one and fails later."""
    texts = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
    named = {repr(text) for text in texts if isinstance(text, str) and text in ERROR_CLASSES}
    return named - set(_raised(tree))


def _silencers(name: str, old: bytes, new: bytes) -> Iterator[str]:
    known, now = (
        Counter(_SILENCER.findall(text.decode("utf-8", "replace"))) for text in (old, new)
    )
    yield from (
        f"{name} silences a check ({silencer})" for silencer in sorted((now - known).keys())
    )


def _in(node: ast.AST) -> list[ast.AST]:
    return list(ast.walk(node))


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


_RULES: tuple[tuple[Callable[[ast.Module], Iterator[str]], str], ...] = (
    (imports, "imports {}"),
    (reached, "uses {}"),
    (_swallowed, "catches {}"),
    (_kept_in_mind, "keeps {}"),
    (_run_at_import, "runs code when it is loaded ({})"),
    (_places, "speaks of the gates or of a place ({})"),
)
