"""Nothing is kept that has not passed `sealed`: the type says so, and nobody gets around it."""

import ast
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path

from judges.publication import Sealed
from pipelines.stages.judgement_rows import write_judgements

_ROOT = Path(__file__).parents[2]


def test_only_sealed_judgements_are_written() -> None:
    assert typing.get_type_hints(write_judgements)["judgements"] == Sequence[Sealed]


def test_one_module_writes_judgements() -> None:
    """By `replace_rows`, or by SQL, which says so in a text."""
    writers = {
        path.relative_to(_ROOT).as_posix()
        for path, node in _nodes("judges", "pipelines")
        if _writes_judgements(node)
    }
    assert writers == {"pipelines/stages/judgement_rows.py"}


def test_only_the_edge_makes_a_judgement_sealed() -> None:
    """No `Sealed(...)` and no `cast` to it elsewhere, nor a type check switched off beside it."""
    makers = {
        path.relative_to(_ROOT).as_posix()
        for path, node in _nodes("judges", "pipelines", "facets")
        if isinstance(node, ast.Call) and "Sealed" in (_name(node.func), *map(_name, node.args))
    }
    assert makers == {"judges/publication.py"}
    ignoring = [
        path
        for path in _sources("judges", "pipelines")
        if any("Sealed" in line and "type: ignore" in line for line in path.read_text().split("\n"))
    ]
    assert ignoring == []


def _writes_judgements(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and _name(node.func) == "replace_rows":
        table = node.args[1]
        return isinstance(table, ast.Constant) and table.value == "judgements"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        words = " ".join(node.value.upper().split())
        return "INTO JUDGEMENTS" in words
    return False


def _nodes(*packages: str) -> Iterator[tuple[Path, ast.AST]]:
    for path in _sources(*packages):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def _sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((_ROOT / package).rglob("*.py"))


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return getattr(node, "id", getattr(node, "attr", ""))
