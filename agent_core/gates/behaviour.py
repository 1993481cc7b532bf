"""The scenario gate: small tasks for the whole agent, with checkers, before and after the patch.

Half of the scenarios lie in `scenarios/held_out`, which the agent's copy of the repository
lacks. All are scripted, so that one run of each says what many would.
"""

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from agent_core.gates import scenario_worker
from agent_core.gates.result import FOREIGN, NO_SANDBOX, Candidate, Finding
from agent_core.replay import run_worker
from agent_core.sandbox import Sandbox

SCENARIOS = Path(__file__).parent / "scenarios"

_Key = TypeVar("_Key")


class ScriptedCall(BaseModel):
    """A call of the script and what it must come to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    arguments: Mapping[str, Any]
    only_after_error: bool = False
    fails_with: str | None = None
    """The error class; None: it must serve."""
    says: tuple[str, ...] = ()
    """Texts that the observation must hold."""
    never_says: tuple[str, ...] = ()
    """Texts that it must not hold."""
    says_at_most: int | None = None
    """Its length in characters."""


class Scenario(BaseModel):
    """A workspace, a script, and what must be there afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request: str
    ending: str = "done"
    """How the agent ends its turn."""
    limits: dict[str, dict[str, float]] = {}
    """Tool → limits that hold here, so that nobody waits for a time-out."""
    files: dict[str, str]
    actions: tuple[ScriptedCall, ...]
    expected: dict[str, str]
    """Files afterwards, whole, byte by byte; those it does not name are as they were, and no other
    is there."""


def check_scenarios(candidate: Candidate) -> Finding:
    """Passes where every scenario that held on the base holds on the patched tree."""
    if not candidate.is_core:
        return Finding("unscored", f"{FOREIGN}: it has no scenarios")
    if candidate.sandbox is None:
        return Finding("unscored", NO_SANDBOX)
    scenarios = load_scenarios()
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(run_scenarios, scenarios, tree, candidate.scratch, candidate.sandbox)
            for tree in (candidate.base, candidate.tree)
        ]
        before, after = (run.result() for run in runs)
    broken = {key: scenarios[key] for key in before if before[key] is None and after[key]}
    if broken:
        # On a busy machine a command may be late once; what is broken is so twice.
        after |= run_scenarios(broken, candidate.tree, candidate.scratch, candidate.sandbox)
    return _compare(before, after)


def load_scenarios() -> dict[tuple[str, str], Scenario]:
    """Every scenario by half (`visible`, `held_out`) and name."""
    return {
        (half, path.stem): Scenario.model_validate(tomllib.loads(path.read_text("utf-8")))
        for half in ("visible", "held_out")
        for path in sorted((SCENARIOS / half).glob("*.toml"))
    }


def run_scenarios(
    scenarios: Mapping[_Key, Scenario], tree: Path, scratch: Path, sandbox: Sandbox
) -> dict[_Key, str | None]:
    """Scenario → None where it held, else what did not. Raises SandboxError."""
    with tempfile.TemporaryDirectory(prefix="scenarios-", dir=scratch) as name:
        folder = Path(name).resolve()
        # Folders of their own, so that a file beside a workspace shows.
        roots = [folder / f"{number}" / "project" for number in range(len(scenarios))]
        jobs = []
        for scenario, root in zip(scenarios.values(), roots, strict=True):
            _write(scenario.files, root)
            actions = [action.model_dump() for action in scenario.actions]
            jobs.append(
                {
                    "root": str(root),
                    "request": scenario.request,
                    "limits": scenario.limits,
                    "actions": actions,
                }
            )
        results = run_worker(Path(scenario_worker.__file__), tree, jobs, folder, sandbox)
        results += [{"status": "lost", "observations": []}] * (len(jobs) - len(results))
        return {
            key: problem(scenario, result, root)
            for (key, scenario), result, root in zip(scenarios.items(), results, roots, strict=True)
        }


def problem(scenario: Scenario, result: Mapping[str, Any], root: Path) -> str | None:
    """The first thing that is not as the scenario says; None where all is."""
    if result["status"] != scenario.ending:
        return f"the agent ended with {result['status']}"
    seen = list(result["observations"])
    for action in scenario.actions:
        if action.only_after_error and (not seen or seen[0]["tool"] != action.tool):
            continue
        if not seen:
            return f"{action.tool} was not called"
        if line := _mismatch(action, seen.pop(0)):
            return line
    return _left(scenario, root)


def _mismatch(action: ScriptedCall, seen: Mapping[str, Any]) -> str | None:
    if seen["error_class"] != action.fails_with:
        return (
            f"{action.tool}: {seen['error_class'] or 'served'}, not {action.fails_with or 'served'}"
        )
    if missing := [text for text in action.says if text not in seen["content"]]:
        return f"{action.tool} does not say {missing[0]!r}"
    if wrong := [text for text in action.never_says if text in seen["content"]]:
        return f"{action.tool} says {wrong[0]!r}"
    if action.says_at_most is not None and len(seen["content"]) > action.says_at_most:
        return f"{action.tool} says more than {action.says_at_most} characters"
    return None


def _left(scenario: Scenario, root: Path) -> str | None:
    if [path.name for path in root.parent.iterdir()] != [root.name]:
        return "something was written beside the workspace"
    wanted = {path: text.encode() for path, text in (scenario.files | scenario.expected).items()}
    found = {
        path.relative_to(root).as_posix(): path
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    for path in sorted(wanted.keys() | found.keys()):
        file = found.get(path)
        is_plain = file is not None and file.is_file() and not file.is_symlink()
        if file is None or not is_plain or file.read_bytes() != wanted.get(path):
            return f"{path} is not as expected"
    return None


def _compare(
    before: Mapping[tuple[str, str], str | None], after: Mapping[tuple[str, str], str | None]
) -> Finding:
    broken = [key for key in before if before[key] is None and after[key] is not None]
    counts = "; ".join(
        f"{half.replace('_', '-')}: {_held(after, half)} hold, {_held(before, half)} before"
        for half in ("visible", "held_out")
    )
    if broken:
        # Of a held-out scenario neither name nor content may reach the next attempt.
        shown = [f"{key[1]} ({after[key]})" for key in broken if key[0] == "visible"]
        hidden = len(broken) - len(shown)
        shown += [f"{hidden} held-out"] if hidden else []
        return Finding("failed", f"broken: {', '.join(shown)}; {counts}")
    return Finding("passed", counts)


def _held(results: Mapping[tuple[str, str], str | None], half: str) -> str:
    own: Sequence[str | None] = [line for key, line in results.items() if key[0] == half]
    return f"{sum(line is None for line in own)} of {len(own)}"


def _write(files: Mapping[str, str], root: Path) -> None:
    root.mkdir(parents=True)
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
