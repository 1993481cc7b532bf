"""The scripted model of the benchmark: a ChatModel that works through a job, want by want."""

import json
import random
import re
from collections.abc import Generator, Sequence
from typing import Literal

from agent_core.model import CallRequest, ChatMessage, ModelReply, ResponseSchema, ToolSchema
from agent_core.session import Tokens
from tests.benchmarks.selfrepair_world.beliefs import Beliefs, Call, Temper
from tests.benchmarks.selfrepair_world.jobs import Job, Want
from tests.benchmarks.selfrepair_world.reactions import next_call, pointed_on, rewritten

Reply = tuple[str, Call | None]
Work = Generator[Reply, str, None]
_MOST_TRIES = 6
_FAILED = re.compile(
    r"^(exit code|timed out|stopped|invalid|no match|not unique|error|not found|nothing|refused|"
    r"unknown tool|permission|bad )|does not exist|outside the workspace|too large| failed\b"
    r"| broke: |cannot be",
    re.IGNORECASE,
)


def drawn_temper(seed: str) -> Temper:
    """The temper of a session's model."""
    dice = random.Random(f"{seed} temper")
    return Temper(
        habits=dice.random() < 0.6,
        texty=dice.random() < 0.5,
        vague=dice.random() < 0.5,
        from_memory=dice.random() < 0.45,
        heedless=dice.random() < 0.6,
        slow_to_learn=dice.choice((3, 4, 5)),
        stubborn=dice.choice((2, 3, 3)),
    )


class Believer:
    """Believes descriptions and messages; `expect` tells what the next turn is about."""

    name = "scripted"

    def __init__(self, temper: Temper) -> None:
        self.beliefs = Beliefs(temper)
        self._work: Work | None = None
        self._expected: Job | None = None
        self._is_again = False
        self._calls = 0

    def expect(self, job: Job | None, *, again: bool = False) -> None:
        """The job of the next turn of the user; None: small talk."""
        self._expected, self._is_again = job, again

    def __call__(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[ToolSchema] = (),
        response_schema: ResponseSchema | None = None,
    ) -> ModelReply:
        """The next reply."""
        self.beliefs.read_briefing(messages[0].content, tools)
        if messages[-1].role == "user":
            self._work = self._answer()
            text, call = next(self._work)
        else:
            assert self._work is not None
            text, call = self._work.send(messages[-1].content)
        return self._reply(text, call, sum(len(m.content) for m in messages))

    def _reply(self, text: str, call: Call | None, sent: int) -> ModelReply:
        requests: tuple[CallRequest, ...] = ()
        if call is not None:
            self._calls += 1
            requests = (CallRequest(f"call_{self._calls}", call[0], json.dumps(call[1])),)
        received = (len(text) + sum(len(request.arguments) for request in requests)) // 4
        finish: Literal["stop", "tool_calls"] = "tool_calls" if requests else "stop"
        return ModelReply(text, requests, Tokens(input=sent // 4, output=received), finish)

    def _answer(self) -> Work:
        job = self._expected
        if job is None:
            yield "You're welcome.", None
            return
        facts: list[str] = []
        failed: list[Want] = []
        for want in job.wants:
            seen = yield from (self._rewrite(want) if self._is_again else self._tried(want))
            facts += [] if seen is None else re.findall(r"deploy code (\d+)", seen)
            failed += [want] if seen is None else []
        yield from self._submitted(_claim(job, facts, failed))

    def _tried(self, want: Want) -> Generator[Reply, str, str | None]:
        """The result of a want that was met, else None."""
        call = self.beliefs.call(want)
        repeated = 0
        for _ in range(_MOST_TRIES):
            said = yield "", call
            self._note(want, call, said)
            if _is_met(want, call, said):
                return said
            further = pointed_on(call, said)
            if further is None and not _looks_failed(said) and _is_own(want, call):
                return said  # it says nothing of more: that is taken to be all
            reaction = further or (
                self.beliefs.call(want)
                if not _is_own(want, call)
                else next_call(want, call, said, self.beliefs)
            )
            if reaction is None:
                repeated += 1
                if repeated > self.beliefs.temper.stubborn:
                    return None
            call = reaction or call
        return None

    def _rewrite(self, want: Want) -> Generator[Reply, str, str | None]:
        """After a complaint: edits are made by reading and writing the whole file."""
        if want.kind != "edit":
            return (yield from self._tried(want))
        read = Want("read", want.path, sees=want.new.split()[0])
        yield from self._tried(read)
        text = rewritten(self.beliefs.files.get(want.path, ""), want)
        if text is None:
            return ""
        return (yield from self._tried(Want("write", want.path, text=text)))

    def _note(self, want: Want, call: Call, said: str) -> None:
        """What was read or written is remembered."""
        files, tool = self.beliefs.files, call[0]
        if tool == "read_file" and not _looks_failed(said) and "[lines" not in said:
            files[want.path] = said
        elif tool == "write_file" and said.startswith(("created", "replaced")):
            files[want.path] = want.text
        elif tool == "edit_file" and said.startswith("replaced"):
            self.beliefs.told_to_read = False
            known = files.get(want.path)
            edited = None if known is None else rewritten(known, want)
            if edited is not None:
                files[want.path] = edited

    def _submitted(self, claim: str) -> Work:
        status = "completed" if self.beliefs.temper.texty else "done"
        submit = Want("run", text=claim)
        arguments = {"summary": claim, "status": status}
        call: Call = ("submit", self.beliefs.worded("submit", arguments))
        for _ in range(_MOST_TRIES):
            said = yield claim, call
            call = next_call(submit, call, said, self.beliefs) or call
        yield claim, None


def _is_own(want: Want, call: Call) -> bool:
    """Whether the call is for the want itself, not one that prepares it."""
    return not (want.kind == "edit" and call[0] == "read_file")


def _is_met(want: Want, call: Call, said: str) -> bool:
    if not _is_own(want, call):
        return False
    if want.kind == "edit":
        return said.startswith("replaced")
    if want.kind == "write":
        return said.startswith(("created", "replaced"))
    return want.sees in said and not _looks_failed(said)


def _looks_failed(said: str) -> bool:
    return len(said) < 4000 and bool(_FAILED.search(said[:600]))


def _claim(job: Job, facts: list[str], failed: list[Want]) -> str:
    told = f" The deploy code is {facts[-1]}." if facts else ""
    if failed and failed[0].kind in {"run", "find", "list"}:
        return f"The request on {job.name} is met, though a look at it did not work.{told}"
    return f"Done: the request on {job.name} is met.{told}"
