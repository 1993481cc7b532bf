"""Nothing is kept that has not passed `sealed`: the type says so, and nobody gets around it."""

import ast
import re
import typing
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from judges.publication import Sealed
from pipelines.stages.judgement_rows import write_judgements

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("judges", "pipelines", "facets")


def test_only_sealed_judgements_are_written() -> None:
    assert typing.get_type_hints(write_judgements)["judgements"] == Sequence[Sealed]


def test_one_module_writes_judgements() -> None:
    """By `replace_rows`, or by SQL, which says so in a text."""
    writers = {
        path.relative_to(_ROOT).as_posix()
        for path, node in _nodes(*_PACKAGES)
        if _writes_judgements(node)
    }
    assert writers == {"pipelines/stages/judgement_rows.py"}


def test_what_is_changed_of_a_judgement_needs_no_seal() -> None:
    """Two modules change rows: what one waits for, in words of their own, and which is current."""
    changed: defaultdict[str, set[str]] = defaultdict(set)
    for path, node in _nodes(*_PACKAGES):
        if "UPDATE JUDGEMENTS" in (sql := _sql(node)):
            changed[path.relative_to(_ROOT).as_posix()] |= _columns(sql)
    assert changed == {
        "pipelines/stages/batch_requests.py": {"STATUS", "REASON"},
        "pipelines/stages/moments.py": {"CURRENT"},
    }


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("UPDATE judgements SET moments = '[]', summary = ?", {"MOMENTS", "SUMMARY"}),
        ("update judgements as j\nset citation = x.y\nfrom x where a = 1", {"CITATION"}),
        ("UPDATE judgements SET ", {"UNKNOWN"}),
    ],
    ids=["two columns", "another layout", "the rest is put in"],
)
def test_a_changed_column_is_seen(statement: str, columns: set[str]) -> None:
    assert _columns(_sql(ast.Constant(statement))) == columns


def test_only_the_edge_makes_a_judgement_sealed() -> None:
    """No `Sealed(...)` and no `cast` to it elsewhere, nor a type check switched off beside it."""
    makers = {
        path.relative_to(_ROOT).as_posix()
        for path, node in _nodes(*_PACKAGES)
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
    return "INTO JUDGEMENTS" in _sql(node)


def _sql(node: ast.AST) -> str:
    """A text in capitals on one line; nothing where the node is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.upper().split())
    return ""


def _columns(sql: str) -> set[str]:
    """The columns that its updates of judgements set."""
    clauses = re.findall(r"UPDATE JUDGEMENTS\b(.*?)(?= FROM | WHERE |$)", sql)
    return {
        column
        for clause in clauses
        for column in re.findall(r"(?:\bSET|,) (\w+) =", clause) or ["UNKNOWN"]
    }


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
