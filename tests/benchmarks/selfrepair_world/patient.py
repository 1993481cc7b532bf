"""One defect from its planting to its effect: every stage really run, in a home of its own."""

import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scipy.stats import fisher_exact

from agent_core.gates.behaviour import Scenario, run_scenarios
from agent_core.patching import Target
from agent_core.patching.target import CORE_TESTS
from agent_core.sandbox import find_sandbox
from pipelines.config import load_config
from pipelines.context import Context, new_run_id
from pipelines.fleet import run_tasks
from pipelines.home import Home
from pipelines.loop import (
    breaches,
    ingest_logs,
    judgements,
    moments,
    patch_tasks,
    run_stages,
    sessions,
)
from pipelines.tasks import TaskRow, list_tasks, move_task
from pipelines.warehouse import query
from tests.benchmarks.selfrepair_world.catalogue import Defect, git, plant

SCENARIOS = Path(__file__).parent.parent / "selfrepair_scenarios"
SOUND_START = datetime(2026, 8, 3, tzinfo=UTC)
DEFECTIVE_START = datetime(2026, 9, 7, tzinfo=UTC)
REPAIRED_START = datetime(2026, 10, 12, tzinfo=UTC)
_END = datetime(2027, 1, 1, tzinfo=UTC)
_MOST_TASKS = 3
_SIGNIFICANT = 0.05
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """What all defects share."""

    work: Path
    repository: Path
    """A clean clone of the code under test."""
    sound: Path
    """A home with the sessions of the sound release."""
    sessions: int
    test_command: tuple[str, ...] = CORE_TESTS


@dataclass
class Row:
    """What became of one defect; a stage that was not reached is None."""

    name: str
    kind: str
    half: str
    detected: bool = False
    task: str | None = None
    """The pattern of the task whose patch was merged, else of the first one tried."""
    patched: bool | None = None
    gates: bool | None = None
    confirmed: bool | None = None
    broken: int | None = None
    """Held-out scenarios that hold on the base and not on the merged tree."""
    tasks: int = 0
    minutes: float = 0.0
    tokens: int = 0
    reason: str = ""
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)
    details: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Where the time went, by stage."""

    @property
    def end_to_end(self) -> bool:
        """Repaired, with an effect, and nothing broken."""
        return bool(self.confirmed) and not self.broken


def play_sessions(home: Path, checkout: Path, first: int, count: int, start: datetime) -> None:
    """Sessions of a checkout's agent, in processes of their own."""
    share = -(-count // _WORKERS)
    runs = []
    for offset in range(0, count, share):
        day = start + timedelta(days=offset // 2)
        number = min(share, count - offset)
        arguments = [str(home), str(checkout), str(first + offset), str(number), day.isoformat()]
        runs.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.selfrepair_world.play", *arguments],
                cwd=checkout,
                env=os.environ | {"PYTHONPATH": str(checkout)},
            )
        )
    if any([run.wait() for run in runs]):
        raise AssertionError(f"sessions of {checkout} could not be played; see above")


def treat(defect: Defect, half: str, setting: Setting) -> Row:
    """Plant, play, ingest, judge, breach, task, patch, gates, merge, effect."""
    started = time.monotonic()
    row = Row(defect.name, defect.kind, half)
    folder = setting.work / defect.name
    shutil.rmtree(folder, ignore_errors=True)
    clone, home = folder / "clone", Home(folder / "home").prepare()
    git(setting.work, "clone", "-q", str(setting.repository), str(clone))
    plant(defect, clone)
    for name in ("sessions", "replay"):
        shutil.copytree(setting.sound / name, home.root / name, dirs_exist_ok=True)
    with _timed(row, "sessions"):
        play_sessions(home.root, clone, 1000, setting.sessions, DEFECTIVE_START)
    with _timed(row, "ingest to tasks"):
        _look(home, home.sessions)
    _repair(row, home, clone, setting)
    row.minutes = (time.monotonic() - started) / 60
    return row


@contextmanager
def _timed(row: Row, stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    row.seconds[stage] = row.seconds.get(stage, 0.0) + round(time.monotonic() - started, 1)


def _look(home: Home, path: Path) -> Context:
    """Ingest to tasks, as a run does them."""
    context = make_context(home)

    def ingest(context: Context) -> dict[str, int]:
        return dict(ingest_logs(context, [path]))

    run_stages(context, ingest, sessions, judgements, moments, breaches, patch_tasks)
    return context


def make_context(home: Home) -> Context:
    """A context in a home, silent."""
    config = load_config(home.config)
    run_id = new_run_id(datetime.now(UTC))
    return Context(home, config, run_id, "selfrepair", progress=lambda *_: None)


def _repair(row: Row, home: Home, clone: Path, setting: Setting) -> None:
    context = make_context(home)
    with context.warehouse() as connection:
        row.detected = query(connection, "FROM breaches").height > 0
        tasks = list_tasks(connection)
    row.tasks = len(tasks)
    if not tasks:
        row.reason = "no task: " + (
            "the breach opened none" if row.detected else "nothing breached"
        )
        return
    target = Target(clone, test_command=setting.test_command)
    # An exact pattern says what to repair; one of a type as a whole comes last.
    for task in sorted(tasks, key=lambda task: task.tool is None)[:_MOST_TASKS]:
        row.task = row.task or _named(task)
        with _timed(row, "patch and gates"):
            outcome = run_tasks(context, [task.task_id], target)[task.task_id]
        row.patched = bool(row.patched) or bool(outcome.diff)
        row.details += [f"{_named(task)}: {outcome.reason}"]
        failed = [gate for gate in outcome.gate_results if gate.blocks]
        row.details += [f"{gate.gate}: {gate.reason}" for gate in failed[:1]]
        if outcome.status == "proposed":
            row.gates, row.task = True, _named(task)
            _merge(row, task, outcome.branch or "", clone, home, setting)
            return
    row.gates = False if row.patched else None
    row.reason = "; ".join(row.details)


def _named(task: TaskRow) -> str:
    return f"{task.tool}/{task.error_class}" if task.tool else task.type


def _merge(row: Row, task: TaskRow, branch: str, clone: Path, home: Home, setting: Setting) -> None:
    base = clone.parent / "base"
    shutil.copytree(clone / "agent_core", base / "agent_core")
    git(clone, "merge", "-q", "--ff-only", branch)
    context = make_context(home)
    with context.warehouse() as connection:
        for state in ("merged", "watching"):
            move_task(connection, task.task_id, state, "the benchmark", context.clock())
    row.broken = _broken(base, clone, clone.parent)
    with _timed(row, "sessions after the merge"):
        play_sessions(home.root, clone, 2000, setting.sessions, REPAIRED_START)
        _look(home, home.sessions)
    row.before, row.after = _rates(home, task)
    (hits, total), (hits_now, total_now) = row.before, row.after
    table = [[hits_now, total_now - hits_now], [hits, total - hits]]
    p_value = float(fisher_exact(table, alternative="less").pvalue)
    row.confirmed = p_value < _SIGNIFICANT
    row.reason = f"{hits} of {total} before, {hits_now} of {total_now} after, p = {p_value:.2g}" + (
        f"; {row.broken} held-out scenarios broken" if row.broken else ""
    )


_RATES = """
SELECT count(*) AS total,
       count(*) FILTER (session_key IN (
           SELECT session_key FROM moments WHERE polarity = 'friction' AND type = $type
           AND ($tool IS NULL OR tool = $tool)
           AND ($error_class IS NULL OR error_class = $error_class))) AS hits
FROM sessions JOIN judgements USING (session_key)
WHERE current AND exclusion IS NULL AND agent = $agent AND NOT is_autonomous
  AND started_at >= $since AND started_at < $until
"""


def _rates(home: Home, task: TaskRow) -> tuple[tuple[int, int], tuple[int, int]]:
    """Sessions with the pattern, and all, before and after the merge.

    By time: a repair may restore the sound text to the letter, and with it the release.
    """
    wanted = {name: getattr(task, name) for name in ("type", "tool", "error_class", "agent")}
    counted = []
    with make_context(home).warehouse() as connection:
        for since, until in ((DEFECTIVE_START, REPAIRED_START), (REPAIRED_START, _END)):
            (row,) = query(
                connection, _RATES, {**wanted, "since": since, "until": until}
            ).to_dicts()
            counted.append((row["hits"], row["total"]))
    return counted[0], counted[1]


def _broken(base: Path, patched: Path, scratch: Path) -> int:
    """How many of the benchmark's own scenarios hold on the base and not on the patched tree."""
    sandbox = find_sandbox()
    if sandbox is None:
        raise AssertionError("no sandbox works here")
    scenarios = load_scenarios()
    before = run_scenarios(scenarios, base, scratch, sandbox)
    after = run_scenarios(scenarios, patched, scratch, sandbox)
    return sum(before[name] is None and after[name] is not None for name in scenarios)


def load_scenarios() -> dict[str, Scenario]:
    """Scenarios that no gate knows."""
    return {
        path.stem: Scenario.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        for path in sorted(SCENARIOS.glob("*.toml"))
    }


def sound_tasks(count: int, setting: Setting, chunk: int = 50) -> tuple[int, list[str]]:
    """Looks at a sound agent that is released anew without a change of its behaviour.

    Half of the sessions are the baseline; after every `chunk` of the others there is a look, as
    from day to day. Returns the looks and the patterns of the tasks that were opened.
    """
    folder = setting.work / "sound-agent"
    shutil.rmtree(folder, ignore_errors=True)
    clone, home = folder / "clone", Home(folder / "home").prepare()
    half = count // 2
    git(setting.work, "clone", "-q", str(setting.repository), str(clone))
    play_sessions(home.root, clone, 10_000, half, SOUND_START - timedelta(days=600))
    _look(home, home.sessions)
    with (clone / "agent_core/playbooks/raise_limit.md").open("a") as playbook:
        playbook.write("\nA release that changes nothing.\n")
    looks = 0
    for first in range(half, count, chunk):
        number = min(chunk, count - first)
        day = SOUND_START + timedelta(days=(first - half) // 2)
        play_sessions(home.root, clone, 10_000 + first, number, day)
        _look(home, home.sessions)
        looks += 1
    with make_context(home).warehouse() as connection:
        return looks, [_named(task) for task in list_tasks(connection)]


def with_sound_sessions(setting: Setting) -> Setting:
    """The same, with the sessions of the sound release played into `setting.sound`."""
    home = Home(setting.sound).prepare()
    # The baseline is played once for all defects, so it may be larger.
    play_sessions(home.root, setting.repository, 0, setting.sessions * 3 // 2, SOUND_START)
    return replace(setting, sound=home.root)


def table(rows: Sequence[Row]) -> str:
    """Markdown: one line a defect."""
    head = (
        "| defect | kind | set | detected | task | patched | gates | effect | broken | min "
        "| tokens | what |\n|" + "---|" * 12
    )
    marks = {None: "-", True: "yes", False: "no"}
    lines = [
        f"| {r.name} | {r.kind} | {r.half} | {marks[r.detected]} | {r.task or '-'} "
        f"| {marks[r.patched]} | {marks[r.gates]} | {marks[r.confirmed]} "
        f"| {'-' if r.broken is None else r.broken} | {r.minutes:.1f} | {r.tokens} | {r.reason} |"
        for r in rows
    ]
    return "\n".join([head, *lines])
