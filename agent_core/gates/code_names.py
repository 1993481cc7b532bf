"""The names that new code of a tool may use: an allow-list, for nobody thinks of every way out.

A tool computes on texts; files and commands it reaches through its context only.
"""

import ast
import builtins
import re
import tomllib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

_NAMES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_MODULES = {module: frozenset(names.split()) for module, names in _NAMES["modules"].items()}
_BUILTINS = frozenset(_NAMES["builtins"].split())
_CONTEXT = frozenset(_NAMES["context"].split())
_TYPES = (str, bytes, int, float, list, dict, set, frozenset, tuple, range, re.Pattern, re.Match)
_COLLECTIONS = (Counter, OrderedDict, defaultdict, deque, SequenceMatcher)
# A template can read any attribute: "{0.run.__globals__}".format(context).
_METHODS = frozenset(
    name for kind in (*_TYPES, *_COLLECTIONS) for name in dir(kind) if not name.startswith("_")
) - {"format", "format_map"}
_ATTRIBUTES = _METHODS | _CONTEXT | frozenset().union(*_MODULES.values())
# A path has these too, and a path leads out of the workspace.
_OF_THE_WORKSPACE = frozenset({"read_text", "write_text", "files", "existing", "resolve"})
_WORKSPACE = "context.workspace"


def imports(tree: ast.Module) -> Iterator[str]:
    """What is imported that is not on the list."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name not in _MODULES)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            known = _MODULES.get(module)
            if known is None:
                yield module
            else:
                yield from (f"{module}.{a.name}" for a in node.names if a.name not in known)


def reached(tree: ast.Module) -> Iterator[str]:
    """Names and attributes that are not on the lists."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if (hasattr(builtins, node.id) and node.id not in _BUILTINS) or _is_dunder(node.id):
                yield node.id
        elif isinstance(node, ast.Attribute):
            yield from _attribute(node)
        elif isinstance(node, ast.MatchClass):
            yield from (name for name in node.kwd_attrs if name not in _ATTRIBUTES)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            if not (_is_number(node.left) or _is_number(node.right)):
                yield f"{ast.unparse(node)}, which may be a path,"
        elif isinstance(node, ast.FormattedValue) and _names_the_context(node.value):
            yield f"the text of {ast.unparse(node.value)}"
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _attribute(node: ast.Attribute) -> Iterator[str]:
    if isinstance(node.ctx, ast.Store | ast.Del):
        yield f"an assignment to {ast.unparse(node)}"
    elif node.attr not in _ATTRIBUTES:
        yield node.attr
    elif node.attr in _OF_THE_WORKSPACE and ast.unparse(node.value) != _WORKSPACE:
        yield ast.unparse(node)


def _call(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name == "replace" and len(node.args) + len(node.keywords) < 2:
        yield "replace() with one argument, which moves a file"
    if name == "run":
        # What a command may write and where it starts is the tool's promise to the user.
        yield from (
            f"run({keyword.arg}={ast.unparse(keyword.value)})"
            for keyword in node.keywords
            if keyword.arg != "limits"
        )
    if isinstance(node.func, ast.Name) and hasattr(builtins, node.func.id):
        told = (f"the text of {ast.unparse(a)}" for a in node.args if _names_the_context(a))
        yield from told


def _names_the_context(node: ast.expr) -> bool:
    return ast.unparse(node) in {"context", "context.sandbox", _WORKSPACE}


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in {"len", "float", "int", "sum"}
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
