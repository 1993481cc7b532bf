"""One sample session: a real agent session on a copy of a task, with both scripts at its ends."""

import json
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sampling.developer import Developer, Kind, Temper
from sampling.person import CHARACTERS, Person
from sampling.tasks import Job, Task, load_task

import agent_core
from agent_core.agent import Opening, open_session
from agent_core.loop import AgentSession
from agent_core.model_policy import ModelPolicy
from agent_core.policy import AgentState, AgentTurn
from agent_core.replay_packing import pack_record
from agent_core.sandbox import Limits, Sandbox, find_sandbox

MOST_COMPLAINTS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """Who works on what, when; everything random in a session follows from its id."""

    session_id: str
    task: str
    user: str
    started: str
    """ISO, with a zone."""
    temper: dict[str, Any]


class Walking:
    """A clock that goes on by some seconds each time it is read, the same in every run."""

    def __init__(self, started: datetime, seed: str) -> None:
        self._now = started
        self._random = random.Random(seed)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=self._random.randint(4, 40))
        return self._now


def play(part: Part, tasks: Path, out: Path, sandbox: Sandbox) -> None:
    """Writes `sessions/<id>.json` and `replay/<id>.json` (packed) below `out`."""
    task = load_task(tasks / part.task)
    with tempfile.TemporaryDirectory(prefix="sample-") as name:
        workspace, home = Path(name, "work"), Path(name, "home")
        shutil.copytree(task.repo, workspace)
        model = Developer(Temper(**part.temper), f"{part.session_id} developer")
        character = next(c for c in CHARACTERS if c.user == part.user)
        person = Person(character, f"{part.session_id} person")
        clock = Walking(datetime.fromisoformat(part.started), f"{part.session_id} clock")
        opening = Opening(part.session_id, clock, user=part.user, project=part.task)
        session = open_session(
            workspace,
            home,
            ModelPolicy(model),
            opening=opening,
            sandbox=sandbox,
            watch=lambda state: _loses_patience(state, character.patience),
        )
        _Conversation(session, model, person, workspace, sandbox).run(task)
        _keep(home, part.session_id, out, Path(name))


@dataclass
class _Conversation:
    session: AgentSession
    model: Developer
    person: Person
    workspace: Path
    sandbox: Sandbox
    answer: str = ""
    """What the agent said last."""
    is_smooth: bool = True
    """Nothing went wrong in the job at hand."""

    def run(self, task: Task) -> None:
        praise: str | None = None
        for job in task.jobs:
            self.is_smooth = True
            request = self.person.request(job)
            self._send("request", job, f"{praise} {request}" if praise else request)
            if not self._is_met_in_the_end(job):
                return
            praise = self.person.praise(first_try=self.is_smooth)
        last = praise or self.person.goodbye()
        if last is not None:
            self._send("chat", task.jobs[-1], last)

    def _is_met_in_the_end(self, job: Job) -> bool:
        for failures in range(1, MOST_COMPLAINTS + 1):
            if self._check(job):
                return True
            self.is_smooth = False
            if failures == MOST_COMPLAINTS:
                self._send("chat", job, self.person.farewell())
                return False
            self._send("complaint", job, self.person.complaint(job, failures, self.answer))
        return False

    def _send(self, kind: Kind, job: Job, text: str) -> None:
        self.model.expect(kind, job)
        result = self.session.send(text)
        if result.status == "interrupted":
            self.is_smooth = False
            self.model.expect("advice", job)
            result = self.session.send(self.person.advice(job))
        self.answer = result.text

    def _check(self, job: Job) -> bool:
        """The user's own look at the result, outside the agent's tools and limits."""
        argv = ["/bin/sh", "-c", job.checker]
        root = self.workspace
        return self.sandbox.run(argv, cwd=root, writable=[root], limits=Limits()).exit_code == 0


def _loses_patience(state: AgentState, patience: int) -> bool:
    """Whether the last calls, as many as the patience, failed in the same way."""
    turns = [turn for turn in state.turns if isinstance(turn, AgentTurn)][-patience:]
    kinds = {(c.name, o.error_class) for t in turns for c, o in _outcomes(t) if o.is_error}
    failed = [turn for turn in turns if any(o.is_error for o in turn.observations)]
    return len(failed) == patience and len(kinds) == 1


def _outcomes(turn: AgentTurn) -> list[tuple[Any, Any]]:
    return list(zip(turn.action.tool_calls, turn.observations, strict=True))


def _keep(home: Path, session_id: str, out: Path, scratch: Path) -> None:
    document = (home / "sessions" / f"{session_id}.json").read_text(encoding="utf-8")
    packed = json.dumps(pack_record(home / "replay", session_id), ensure_ascii=False, indent=1)
    for name, text in (("sessions", document), ("replay", f"{packed}\n")):
        for place in (str(scratch), sys.prefix, sys.base_prefix, str(Path.home())):
            if len(place) > 5 and place in text:
                raise AssertionError(f"{session_id}: {name} names a place of this machine")
        (out / name).mkdir(parents=True, exist_ok=True)
        (out / name / f"{session_id}.json").write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> None:
    """`PARTS.json TASKS OUT CLONE`: plays every part with the agent of the clone."""
    parts, tasks, out, clone = map(Path, arguments)
    loaded = Path(str(agent_core.__file__)).resolve()
    if not loaded.is_relative_to(clone.resolve()):
        raise AssertionError(f"wrong code: agent_core is {loaded}, not that of {clone}")
    sandbox = find_sandbox()
    if sandbox is None:
        raise AssertionError("no sandbox works here, and the samples need real commands")
    for raw in json.loads(parts.read_text(encoding="utf-8")):
        play(Part(**raw), tasks, out, sandbox)
        print(raw["session_id"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
