"""However files arrive, grow, are cut and copied, the tables are those of one clean run."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.context import Context
from pipelines.home import Home
from pipelines.stages.ingest import ingest
from pipelines.stages.sessions import summarise_sessions
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.sources.all_cases import ALL_CASES
from tests.pipelines.warehouse_tables import table_rows

_TURNS = [
    record
    for minute in range(0, 12, 2)
    for record in (
        said("s1", f"u{minute}", minute, f"Take {minute} again."),
        answered("s1", f"a{minute}", minute + 1, f"Took {minute}.", tokens=10 + minute),
    )
]
_FORKED = [{**record, "sessionId": "s2", "forkedFrom": {"sessionId": "s1"}} for record in _TURNS]


def _write_logs(folder: Path) -> None:
    """One session in two lengths, two forks of it, a subagent, and all formats' cases."""
    write_log(folder / "a" / "s1.jsonl", *_TURNS[:7])
    write_log(folder / "z" / "s1.jsonl", *_TURNS, "{ broken", said("s1", "u50", 50, "Bye."))
    write_log(folder / "s2.jsonl", *_FORKED[:6], said("s2", "u60", 20, "Another way, please."))
    write_log(folder / "s3.jsonl", *({**record, "sessionId": "s3"} for record in _TURNS[:4]))
    helper = [{**record, "agentId": "h1", "isSidechain": True} for record in _TURNS[3:6]]
    write_log(folder / "s1" / "subagents" / "agent-h1.jsonl", *helper)
    for name, case_id, case in ALL_CASES[::3]:
        for path, content in case.files.items():
            target = folder / "cases" / name / case_id / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


_EVENT = st.tuples(
    st.sampled_from(("arrive", "cut", "copy", "run")), st.integers(0, 10_000), st.floats(0, 1)
)


@pytest.mark.parametrize(
    "examples",
    [3, pytest.param(80, marks=pytest.mark.timeout(1500))],
    ids=["few", "many"],
)
@pytest.mark.slow
def test_the_tables_are_those_of_one_clean_run(context: Context, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(st.lists(_EVENT, min_size=5, max_size=40))
    def check(events: Sequence[tuple[str, int, float]]) -> None:
        with tempfile.TemporaryDirectory() as name:
            _check(replace(context, home=Home(Path(name) / "home").prepare()), events)

    check()


def _check(context: Context, events: Sequence[tuple[str, int, float]]) -> None:
    root = context.home.root.parent
    origin, logs = root / "origin", root / "logs"
    _write_logs(origin)
    files = sorted(path.relative_to(origin) for path in origin.rglob("*") if path.is_file())
    logs.mkdir()
    wanted: dict[Path, bytes] = {}
    for kind, number, share in events:
        file = files[number % len(files)]
        if kind == "run":
            _run(context, logs)
        else:
            target = Path(f"copy-{number}", file) if kind == "copy" else file
            wanted[target] = (origin / file).read_bytes()
            size = int(len(wanted[target]) * share) if kind == "cut" else len(wanted[target])
            _write(logs / target, wanted[target][:size])
    for target, content in wanted.items():
        _write(logs / target, content)
    _run(context, logs)
    clean = replace(context, home=Home(root / "clean").prepare())
    # Names that stand behind a home's secret are to be the same.
    (clean.home.state / "salt").write_bytes(context.home.salt())
    _run(clean, logs)
    assert table_rows(context.home.warehouse) == table_rows(clean.home.warehouse)
    _run(context, logs)
    assert table_rows(context.home.warehouse) == table_rows(clean.home.warehouse)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def _run(context: Context, logs: Path) -> None:
    if any(path.is_file() for path in logs.rglob("*")):
        ingest(replace(context, progress=_quiet), [logs])
        summarise_sessions(context)


def _quiet(_what: str, _done: int, _total: int) -> None:
    """No progress among the test's output."""


def test_the_corpus_of_this_test_has_copies(context: Context, tmp_path: Path) -> None:
    """The property would be empty over files that share nothing."""
    _write_logs(tmp_path / "logs")
    _run(context, tmp_path / "logs")
    rows = table_rows(context.home.warehouse)
    copied = [row for row in rows["steps"] if row[1].startswith(("u", "a")) and row[10]]
    assert copied
    shutil.rmtree(tmp_path / "logs")
