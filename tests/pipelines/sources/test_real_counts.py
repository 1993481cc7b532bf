"""The ingester finds in the real logs what independent counters find in them."""

import ast
import importlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipelines.context import Context
from pipelines.stages.ingest import ingest
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.pipelines.sources.counting import Counts

_ROOMS = {"agent_core", "judges", "facets", "pipelines", "dashboards"}

_FOLDERS = {
    "claude_code": ("claude_code", "claude_code_fixtures", "claude_code_long", "claude_code_more"),
    "codex": ("codex", "codex_more"),
    "openai_chat": ("openai_chat", "failure_attribution"),
    "otlp": ("otel_openinference",),
}

# sessions, person's turns, tool calls, tool errors,
# tokens: input with cached, cached, output with reasoning, reasoning
_COUNTS = {
    "claude_code": Counts(138, 848, 7155, 362, 629143291, 601757619, 669095, 38144),
    "codex": Counts(26, 126, 1997, 109, 179710782, 170741888, 559748, 184915),
    "atif": Counts(24, 47, 196, 17, 9177793, 8021688, 30966, 17606),
    "openhands": Counts(10, 6, 142, 60, 2063530, 96651, 18392, 0),
    "swe_agent": Counts(22, 0, 232, 28, 182614, 0, 1938, 0),
    "mini_swe_agent": Counts(42, 0, 1386, 146, 17683756, 14248802, 338261, 7000),
    "gemini_cli": Counts(8, 8, 13, 0, 204516, 161019, 2267, 1447),
    "pi": Counts(9, 0, 113, 0, 2347508, 1874751, 37667, 14477),
    "copilot_cli": Counts(12, 15, 129, 5, 100640, 14848, 62143, 833),
    "otlp": Counts(13, 8, 4, 0, 433, 0, 453, 0),
    "openai_chat": Counts(388, 2884, 1957, 145, 0, 0, 0, 0),
    "inspect": Counts(38, 0, 10, 0, 2107, 0, 143, 0),
}
_TABLE = [pytest.param(name, counts, id=name) for name, counts in _COUNTS.items()]

# Where the labels of `labels/coding_sessions`, which the readers follow, differ from the letter of
# DESIGN, which the counter follows: 35 messages that only a `remove` of the queue tells of are
# steps of the user and no turns, six texts beginning "Operation stopped by hook" are turns.
_BY_LABELS = {"claude_code": -35 + 6}

# A converter does not say that a prompt came through an SDK, whose runs have no person.
_OF_AN_SDK = {
    "21a97724-b1cd-4436-81e2-068b9323524c",
    "46ba4000-2fba-4a5c-ac10-d516e166fd7b",
    "f5b5a991-b4b0-4df2-8d30-864cbada97c2",
    "fc4e7260-e682-4a05-b825-35baf8ffbf88",
}


@pytest.mark.shared
@pytest.mark.parametrize(("name", "expected"), _TABLE)
def test_the_counter_finds(name: str, expected: Counts, shared_dir: Path) -> None:
    assert _count(name, _folders(name, shared_dir)) == expected


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(("name", "expected"), _TABLE)
def test_the_warehouse_holds(
    name: str, expected: Counts, context: Context, shared_dir: Path
) -> None:
    ingest(context, _folders(name, shared_dir))
    summarise_sessions(context)
    turns = expected.person_turns + _BY_LABELS.get(name, 0)
    assert _in_warehouse(context) == {name: expected._replace(person_turns=turns)}


@pytest.mark.shared
def test_conversions_keep_all_figures_of_their_originals(shared_dir: Path) -> None:
    conversions = sorted((shared_dir / "logs" / "atif").rglob("*.trajectory.json"))
    assert len(conversions) == 24
    for path in conversions:
        kept = _count("atif", [path])
        if path.name.removesuffix(".trajectory.json") in _OF_AN_SDK:
            assert kept.person_turns == 1
            kept = kept._replace(person_turns=0)
        assert kept == _count(path.parent.name, _originals(path, shared_dir)), path.name


def test_the_counters_import_none_of_our_rooms(repository: Path) -> None:
    modules = sorted((repository / "tests/pipelines/sources/counting").glob("*.py"))
    assert len(modules) > len(_COUNTS)
    imported = {(path.name, name.split(".")[0]) for path in modules for name in _imports(path)}
    assert [found for found in sorted(imported) if found[1] in _ROOMS] == []


def _folders(name: str, shared_dir: Path) -> list[Path]:
    return [shared_dir / "logs" / folder for folder in _FOLDERS.get(name, (name,))]


def _count(name: str, paths: Iterable[Path]) -> Counts:
    module = importlib.import_module(f"tests.pipelines.sources.counting.{name}")
    counts = module.count(paths)
    assert isinstance(counts, Counts)
    return counts


def _originals(conversion: Path, shared_dir: Path) -> list[Path]:
    stem = conversion.name.removesuffix(".trajectory.json")
    folder = shared_dir / "logs" / conversion.parent.name
    return [path for suffix in ("json", "jsonl") for path in folder.rglob(f"{stem}.{suffix}")]


def _in_warehouse(context: Context) -> dict[str, Counts]:
    """The sums over the sessions of each format; nothing known of tokens counts as none."""
    fields = ", ".join(f"coalesce(sum({field}), 0)::BIGINT" for field in Counts._fields[1:])
    with context.warehouse() as connection:
        rows = query(
            connection,
            f"SELECT format, count(*), {fields} FROM sessions "
            "WHERE conversion_of IS NULL GROUP BY format",
        ).rows()
    return {name: Counts(*figures) for name, *figures in rows}


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "pipelines: a relative import hides its room")
    return names
