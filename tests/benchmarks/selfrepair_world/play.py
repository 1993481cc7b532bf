"""Plays sessions of the benchmark with the agent of one checkout, in a process of its own.

    python -P -m tests.benchmarks.selfrepair_world.play HOME CHECKOUT FIRST COUNT START

Writes the logs and records of sessions number FIRST to FIRST + COUNT - 1 into HOME, beginning at
START (ISO time), two a day. Model and person are scripted, all else is real. The script decides by
what the agent's prompt, tools and messages say, and is not told which defect is planted.
"""

import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import agent_core
from agent_core.agent import Opening, open_session
from agent_core.loop import AgentSession
from agent_core.model_policy import ModelPolicy
from agent_core.sandbox import Limits, Sandbox, find_sandbox
from tests.benchmarks.selfrepair_world.believer import Believer, drawn_temper
from tests.benchmarks.selfrepair_world.jobs import JOBS, Job, workspace

JOBS_A_SESSION = 3
MOST_COMPLAINTS = 2
USERS = ("ana", "ben", "dieter", "emi", "farid", "lucia", "noor")
_FIRST = (
    "That's not right, it still does not work here. Please look at {path} again.",
    "no, it's still failing when I check it. did you really change {path}?",
    "Hm, you said it was done, but my own check of it fails.",
)
_SECOND = (
    "Still broken. I told you already: {request}",
    "Again: {request} Why do you say it's done when it isn't?",
)
_LAST = ("Forget it, I'll do it myself. What a waste of time.", "I give up and do it by hand.")
_THANKS = ("Great, that works.", "Perfect, thanks!", "ok", "good. next:")


class Walking:
    """A clock that goes on by some seconds each time it is read, the same in every run."""

    def __init__(self, started: datetime, seed: str) -> None:
        self._now = started
        self._dice = random.Random(seed)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=self._dice.randint(4, 40))
        return self._now


@dataclass(frozen=True, slots=True)
class _Talk:
    session: AgentSession
    model: Believer
    dice: random.Random
    check: Callable[[str], bool]

    def run(self, jobs: list[Job]) -> None:
        for number, job in enumerate(jobs):
            thanks = f"{self.dice.choice(_THANKS)} " if number else ""
            if not self._is_met(job, self._send(f"{thanks}{job.request}", job)):
                return
        self._send(self.dice.choice(_THANKS[:3]), None)

    def _is_met(self, job: Job, answer: str) -> bool:
        for wordings in (_FIRST, _SECOND):
            if self.check(job.checker) and job.fact in answer:
                return True
            words = self.dice.choice(wordings).format(path=job.path, request=job.request)
            answer = self._send(words, job, again=True)
        if self.check(job.checker) and job.fact in answer:
            return True
        self._send(self.dice.choice(_LAST), None)
        return False

    def _send(self, text: str, job: Job | None, *, again: bool = False) -> str:
        self.model.expect(job, again=again)
        return self.session.send(text).text


def play(number: int, home: Path, day: datetime, sandbox: Sandbox) -> None:
    """One session; all that is random in it follows from its number."""
    seed = f"session {number}"
    dice = random.Random(seed)
    started = day + timedelta(hours=8, minutes=dice.randint(0, 500))
    names = dice.sample(sorted(JOBS), JOBS_A_SESSION)
    code = dice.randint(1000, 9999)
    with tempfile.TemporaryDirectory(prefix="selfrepair-") as name:
        root = Path(name, "work")
        for path, text in workspace(code).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")

        def check(command: str) -> bool:
            argv = ["/bin/sh", "-c", command]
            return sandbox.run(argv, cwd=root, writable=[root], limits=Limits()).exit_code == 0

        session_id = f"core-{started:%Y%m%d}-{number:05}"
        clock = Walking(started, f"{seed} clock")
        opening = Opening(session_id, clock, user=dice.choice(USERS), project="shop")
        model = Believer(drawn_temper(seed))
        session = open_session(root, home, ModelPolicy(model), opening=opening, sandbox=sandbox)
        _Talk(session, model, dice, check).run([JOBS[one](code) for one in names])
        shutil.rmtree(root)


def main(home: str, checkout: str, first: str, count: str, start: str) -> None:
    """See the module's text."""
    loaded = Path(str(agent_core.__file__)).resolve()
    if not loaded.is_relative_to(Path(checkout).resolve()):
        raise AssertionError(f"wrong code: agent_core is {loaded}, not that of {checkout}")
    sandbox = find_sandbox()
    if sandbox is None:
        raise AssertionError("no sandbox works here, and the sessions need real commands")
    for number in range(int(count)):
        day = datetime.fromisoformat(start) + timedelta(days=number // 2)
        play(int(first) + number, Path(home), day, sandbox)


if __name__ == "__main__":
    main(*sys.argv[1:])
