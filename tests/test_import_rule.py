"""Which room may import which: the rule of the architecture."""

import ast
from pathlib import Path

import pytest

_ROOMS: dict[str, frozenset[str]] = {
    "agent_core": frozenset(),
    "judges": frozenset({"agent_core"}),
    "facets": frozenset({"agent_core"}),
    "pipelines": frozenset({"agent_core", "judges", "facets"}),
    "dashboards": frozenset(),
}


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.append(node.module)
        elif isinstance(node, ast.ImportFrom) and node.level:
            names.append(f"{path}: a relative import hides its room")
    return names


def _room(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("room", sorted(_ROOMS))
def test_a_room_imports_only_what_it_may(room: str, repository: Path) -> None:
    sources = sorted((repository / room).rglob("*.py"))
    assert sources
    forbidden = [
        f"{path.relative_to(repository)} imports {name}"
        for path in sources
        for name in _imports(path)
        if (_room(name) in _ROOMS or "relative import" in name)
        and _room(name) not in {room, *_ROOMS[room]}
    ]
    assert forbidden == []


def _module(path: Path, repository: Path) -> str:
    parts = path.relative_to(repository).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported_at_start(path: Path, modules: set[str]) -> set[str]:
    """Modules of ours imported when this one loads, not those inside functions."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in modules else node.module)
    return found & modules


def test_no_import_cycles(repository: Path) -> None:
    paths = {
        _module(path, repository): path
        for room in _ROOMS
        for path in (repository / room).rglob("*.py")
    }
    remaining = {name: _imported_at_start(path, set(paths)) for name, path in paths.items()}
    while leaves := {name for name, imported in remaining.items() if not imported}:
        remaining = {
            name: imported - leaves for name, imported in remaining.items() if name not in leaves
        }
    assert remaining == {}
