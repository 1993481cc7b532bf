"""Replays recorded calls on a patched tree, beside the base tree, in a sandbox."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_core import replay_worker
from agent_core.replay_records import CallHalf, RecordedCall, ReplaySet, restore_workspace
from agent_core.replay_verdict import (
    Replayed,
    ToolNames,
    Verdict,
    judge_failed,
    judge_unchanged,
    normalised,
)
from agent_core.sandbox import Limits, Sandbox
from agent_core.toolkit import Workspace, load_spec

# A replayed command may use what its own tool allows; these hold for a whole batch of calls.
_BATCH_LIMITS = Limits(timeout_seconds=900, memory_bytes=4 << 30, processes=600)
_ORACLE_LIMITS = Limits(timeout_seconds=300)
_LOST = Replayed(True, "other", "the call ended the process that replayed it")
_COMMAND_TOOL = "run_command"


@dataclass(frozen=True, slots=True)
class Trees:
    """Two checkouts of the agent, a folder to work in, and what kind of change separates them."""

    base: Path
    patched: Path
    scratch: Path
    code_changed: bool
    """False: only data, such as limits and messages, differs."""


@dataclass(frozen=True, slots=True)
class HalfReport:
    """What became of one half of the calls, by verdict."""

    failed: Mapping[Verdict, int]
    unchanged: Mapping[Verdict, int]
    not_reproducible: int
    """Calls that give something else on the base too: they prove nothing."""

    @property
    def holds(self) -> bool:
        """Every failed call got better and every other one stayed."""
        return not self.failed.get("fails") and not self.unchanged.get("differs")


def replay(calls: ReplaySet, trees: Trees, sandbox: Sandbox) -> tuple[HalfReport, HalfReport]:
    """The reports on the visible and the held-out half. Raises SandboxError."""
    player = Player(calls.folder, trees.scratch, sandbox)
    halves = (calls.visible, calls.held_out)
    constant = [call for half in halves for call in (*half.served, *half.failed_otherwise)]
    failed = [call for half in halves for call in half.failed]
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(player.execute, constant, trees.base)
        now = player.execute([*failed, *constant], trees.patched)
        base = dict(zip(map(_key, constant), before.result(), strict=True))
    results = dict(zip(map(_key, [*failed, *constant]), now, strict=True))
    judge = _Judge(player, trees, base, results)
    return judge.report(calls.visible), judge.report(calls.held_out)


@dataclass(frozen=True, slots=True)
class Player:
    """Executes recorded calls: `folder` holds the records, `scratch` the workspaces."""

    folder: Path
    scratch: Path
    sandbox: Sandbox

    def execute(self, calls: Sequence[RecordedCall], tree: Path) -> list[Replayed]:
        """Each call on its restored workspace with the tools of `tree`, in one process."""
        if not calls:
            return []
        with self._folder() as scratch:
            roots = [scratch / f"workspace-{number}" for number in range(len(calls))]
            for call, root in zip(calls, roots, strict=True):
                restore_workspace(self.folder, call, root)
            jobs = [
                {"root": str(root), "tool": call.tool, "arguments": dict(call.arguments)}
                for call, root in zip(calls, roots, strict=True)
            ]
            lines = run_worker(Path(replay_worker.__file__), tree, jobs, scratch, self.sandbox)
            done = [_replayed(line, root) for line, root in zip(lines, roots, strict=False)]
        return [*done, *(_LOST for _ in calls[len(done) :])]

    def output_without_the_tool(self, call: RecordedCall) -> str | None:
        """What a command prints when it is run without the agent's code; None where it fails."""
        command = next((v for v in call.arguments.values() if isinstance(v, str)), "")
        with self._folder() as root:
            restore_workspace(self.folder, call, root)
            argv = ["/bin/sh", "-c", command]
            done = self.sandbox.run(argv, cwd=root, writable=[root], limits=_ORACLE_LIMITS)
            return Workspace(root).relative(done.stdout) if done.exit_code == 0 else None

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="replay-", dir=self.scratch) as name:
            yield Path(name).resolve()


def run_worker(
    worker: Path, tree: Path, jobs: Sequence[object], scratch: Path, sandbox: Sandbox
) -> list[dict[str, Any]]:
    """Run `worker` of this package on the code of `tree`; its results, none when it died.

    What a worker wrote before it died is not believed: patched code may have written it.
    """
    (scratch / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    argv = [sys.executable, "-P", str(worker), str(tree)]
    done = sandbox.run(
        [*argv, str(scratch / "jobs.json"), str(scratch / "results.jsonl")],
        cwd=scratch,
        writable=[scratch],
        readable=[tree, worker],
        env={"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"},
        limits=_BATCH_LIMITS,
    )
    return _lines(scratch / "results.jsonl") if done.exit_code == 0 else []


@dataclass(frozen=True, slots=True)
class _Judge:
    player: Player
    trees: Trees
    base: Mapping[tuple[str, int], Replayed]
    now: Mapping[tuple[str, int], Replayed]

    def report(self, half: CallHalf) -> HalfReport:
        failed = [self._failed(call) for call in half.failed]
        others = (*half.served, *half.failed_otherwise)
        stable = [call for call in others if self._is_reproducible(call)]
        return HalfReport(
            failed=_counts(failed),
            unchanged=_counts([self._unchanged(call) for call in stable]),
            not_reproducible=len(others) - len(stable),
        )

    def _failed(self, call: RecordedCall) -> Verdict:
        names = tool_names(self.trees.base, call.tool)
        verdict = judge_failed(call, self._met(call), self.now[_key(call)], names)
        # Data cannot make a command that fails look as if it served; code could.
        is_claim = verdict == "serves" and call.tool == _COMMAND_TOOL and self.trees.code_changed
        return "fails" if is_claim and not self._is_true(call) else verdict

    def _is_true(self, call: RecordedCall) -> bool:
        """Whether a command that is said to serve does, and its last line is what was shown."""
        output = self.player.output_without_the_tool(call)
        if output is None:
            return False
        last = normalised(output).rpartition("\n")[2]
        return last in normalised(self.now[_key(call)].content).split("\n")

    def _unchanged(self, call: RecordedCall) -> Verdict:
        return judge_unchanged(self.base[_key(call)], self.now[_key(call)])

    def _is_reproducible(self, call: RecordedCall) -> bool:
        """A difference counts where the base still gives what was recorded, or the same again."""
        base = self.base[_key(call)]
        if self._unchanged(call) == "same" or normalised(base.content) == normalised(call.content):
            return True
        (again,) = self.player.execute([call], self.trees.base)
        return judge_unchanged(base, again) == "same"

    def _met(self, call: RecordedCall) -> dict[str, str]:
        return {
            path: (self.player.folder / "blobs" / digest).read_bytes().decode("utf-8", "replace")
            for path, digest in call.files.items()
        }


def tool_names(tree: Path, tool: str) -> ToolNames:
    """The names that messages can use, from the specs of a tree."""
    specs = [load_spec(path) for path in sorted((tree / "agent_core" / "tools").glob("*.toml"))]
    arguments = next((spec.parameters.properties for spec in specs if spec.name == tool), {})
    return ToolNames(frozenset(spec.name for spec in specs), frozenset(arguments))


def _replayed(line: Mapping[str, object], root: Path) -> Replayed:
    workspace = Workspace(root)
    files = {
        path: (root / path).read_bytes().decode("utf-8", "replace") for path in workspace.files()
    }
    error_class = line["error_class"]
    return Replayed(
        is_error=bool(line["is_error"]),
        error_class=None if error_class is None else str(error_class),
        content=workspace.relative(str(line["content"])),
        files=files,
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    """The results; none where the file is not what a worker writes."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def _counts(verdicts: Sequence[Verdict]) -> dict[Verdict, int]:
    return {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}


def _key(call: RecordedCall) -> tuple[str, int]:
    return call.session_id, call.number
