"""The scripted model: a developer of middling skill, whose script reacts to what it observes.

It remembers files by heart, without their tabs and trailing spaces. It follows an error that says
what to do, and repeats the call after one that does not. When its tests are stopped by a time limit
it doubts its change: it takes it back, or makes something simpler of it and claims that this works.
It is a ChatModel: it sees the messages and nothing else, besides what the request is about.
"""

import json
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sampling.tasks import Edit, Job

from agent_core.model import CallRequest, ChatMessage, ModelReply, ResponseSchema, ToolSchema
from agent_core.session import Tokens

Kind = Literal["request", "complaint", "advice", "chat"]
Reply = tuple[str, tuple[str, dict[str, Any]] | None]
Work = Generator[Reply, str, None]


@dataclass(frozen=True, slots=True)
class Temper:
    """How this developer goes about things."""

    stubborn: int
    """How often a call is repeated after an error that says nothing."""
    careless: bool
    """Claims without checking."""
    honest: bool
    """Admits when an edit did not work, instead of claiming that it did."""
    slow_to_learn: int
    """Complaints until it reads the file of its own accord."""


class Developer:
    """A ChatModel; `expect` tells what the next turn of the user is about."""

    name = "scripted"

    def __init__(self, temper: Temper, seed: str) -> None:
        self._temper = temper
        self._random = random.Random(seed)
        self._work: Work | None = None
        self._calls = 0
        self._complaints = 0
        self._expected: tuple[Kind, Job] | None = None

    def expect(self, kind: Kind, job: Job) -> None:
        """What the next turn of the user asks for."""
        self._expected = (kind, job)
        self._complaints = self._complaints + 1 if kind == "complaint" else 0

    def __call__(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[ToolSchema] = (),
        response_schema: ResponseSchema | None = None,
    ) -> ModelReply:
        """The next reply; fails when nothing is expected."""
        last = messages[-1]
        if last.role == "user":
            if self._expected is None:
                raise AssertionError("the script has no answer to this turn")
            self._work, self._expected = self._answer(*self._expected), None
            text, call = next(self._work)
        else:
            assert self._work is not None
            text, call = self._work.send(last.content)
        return self._reply(text, call, messages)

    def _reply(
        self, text: str, call: tuple[str, dict[str, Any]] | None, messages: Sequence[ChatMessage]
    ) -> ModelReply:
        requests: tuple[CallRequest, ...] = ()
        if call is not None:
            self._calls += 1
            requests = (CallRequest(f"call_{self._calls}", call[0], json.dumps(call[1])),)
        # Four characters a token is what such texts come to.
        sent = sum(len(message.content) for message in messages) // 4
        received = (len(text) + sum(len(request.arguments) for request in requests)) // 4
        finish: Literal["stop", "tool_calls"] = "tool_calls" if requests else "stop"
        return ModelReply(text, requests, Tokens(input=sent, output=received), finish)

    def _answer(self, kind: Kind, job: Job) -> Work:
        if kind == "chat":
            yield self._say("You're welcome.", "Glad it helped.", "Any time."), None
        elif kind == "advice":
            yield from self._by_reading(job)
        elif kind == "complaint":
            yield from self._again(job)
        else:
            yield from self._first(job)

    def _first(self, job: Job) -> Work:
        yield (
            self._say("I look at the files first.", "Let me see what is there."),
            _call("list_files"),
        )
        applied = yield from self._apply(job.edits)
        if not applied and self._temper.honest:
            yield f"I could not apply the edit in {job.edits[0].path}; the tool rejects it.", None
        elif not applied or self._temper.careless:
            yield self._claim(job), None
        else:
            yield from self._check(job)

    def _again(self, job: Job) -> Work:
        if self._complaints > self._temper.slow_to_learn or job.fix or job.doubt:
            yield from self._by_reading(job)
            return
        applied = yield from self._apply(job.edits)
        if applied:
            yield from self._check(job)
        else:
            yield self._say("Sorry about that. It is in place now: ", "Fixed: ") + job.done, None

    def _apply(self, edits: Sequence[Edit]) -> Generator[Reply, str, bool]:
        """Edits from memory; whether all of them were made."""
        results = []
        for edit in edits:
            results.append((yield from self._edit(edit)))
        return all(results)

    def _edit(self, edit: Edit) -> Generator[Reply, str, bool]:
        arguments = _edit_arguments(edit, edit.remembered, edit.new)
        said = self._say("I make the change.", f"Now the edit in {edit.path}.", "")
        observed = yield said, _call("edit_file", **arguments)
        for _ in range(self._temper.stubborn):
            if observed.startswith("replaced") or "read_file" in observed:
                break
            said = self._say("The edit failed, I try it again.", "Once more.", "I retry the edit.")
            observed = yield said, _call("edit_file", **arguments)
        if "read_file" in observed:
            return (yield from self._edit_as_read(edit))
        return observed.startswith("replaced")

    def _edit_as_read(self, edit: Edit) -> Generator[Reply, str, bool]:
        said = self._say("I read the file to copy the text exactly.", f"Let me read {edit.path}.")
        content = yield said, _call("read_file", path=edit.path)
        exact = _exact(content, edit.remembered)
        if exact is None:
            return False
        arguments = _edit_arguments(edit, exact, _indented_like(edit.new, exact))
        observed = yield "", _call("edit_file", **arguments)
        return observed.startswith("replaced")

    def _by_reading(self, job: Job) -> Work:
        """What a careful developer does at once: read, then write what is missing."""
        paths = {edit.path: None for edit in (*job.edits, *([job.fix] if job.fix else []))}
        for path in paths:
            said = self._say("I read the file as it is now.", f"Let me look at {path} itself.")
            content = yield said, _call("read_file", path=path)
            doubted = [_undone(job.doubt)] if job.doubt and job.doubt.path == path else []
            edits = [edit for edit in job.edits if edit.path == path]
            wanted = _with_edits(content, [*doubted, *edits])
            wanted = _with_edits(wanted, [job.fix] if job.fix and job.fix.path == path else [])
            if wanted != content:
                yield "", _call("write_file", path=path, content=wanted)
        command = job.quick or job.check
        observed = yield "I check it.", _call("run_command", command=command)
        if observed.startswith("exit code") or "timed out" in observed:
            yield "The change is in, but the check does not pass yet.", None
        else:
            yield f"{job.done} I ran `{command}` and it passes.", None

    def _check(self, job: Job) -> Work:
        observed = yield (
            self._say("I run the tests.", "Now the check."),
            _call("run_command", command=job.check),
        )
        if "timed out" in observed:
            observed = yield (
                "The run was stopped, I start it again.",
                _call("run_command", command=job.check),
            )
        if observed.startswith("exit code") and job.fix is not None:
            yield from self._edit(job.fix)
            observed = yield (
                "That was not all of it. I run them again.",
                _call("run_command", command=job.check),
            )
        if "timed out" in observed:
            yield from self._doubt(job)
        elif observed.startswith("exit code"):
            yield "The change is made, but the check still fails.", None
        else:
            yield f"{job.done} The check passes.", None

    def _doubt(self, job: Job) -> Work:
        """What becomes of a change whose tests are stopped."""
        if self._temper.honest or job.doubt is None:
            for edit in job.edits:
                yield "", _call("edit_file", **_edit_arguments(edit, edit.new, edit.remembered))
            yield "The tests hang with my change, so I took it back. I could not finish this.", None
            return
        said = self._say("It seems to hang, I try something simpler.", "Perhaps it is too slow.")
        arguments = _edit_arguments(job.doubt, job.doubt.remembered, job.doubt.new)
        yield said, _call("edit_file", **arguments)
        yield self._claim(job), None

    def _claim(self, job: Job) -> str:
        return self._say(
            f"Done. {job.done}", f"{job.done} Everything should work now.", f"Fixed. {job.done}"
        )

    def _say(self, *wordings: str) -> str:
        return self._random.choice(wordings)


def _call(tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return tool, arguments


def _edit_arguments(edit: Edit, old: str, new: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {"path": edit.path, "old_text": old, "new_text": new}
    return arguments | ({"replace_all": True} if edit.everywhere else {})


def _undone(edit: Edit) -> Edit:
    return Edit(edit.path, edit.new, edit.remembered)


def _exact(content: str, remembered: str) -> str | None:
    """The piece of a file that is the remembered text but for white space."""
    wanted = [_squeezed(line) for line in remembered.splitlines()]
    lines = content.splitlines(keepends=True)
    for start in range(len(lines) - len(wanted) + 1):
        piece = lines[start : start + len(wanted)]
        if [_squeezed(line) for line in piece] == wanted:
            return "".join(piece)
    return remembered if remembered in content else None


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def _indented_like(text: str, exact: str) -> str:
    if "\n\t" not in f"\n{exact}":
        return text
    lines = text.splitlines(keepends=True)
    depths = [(len(line) - len(line.lstrip(" "))) // 4 for line in lines]
    return "".join(
        "\t" * depth + line.lstrip(" ") for depth, line in zip(depths, lines, strict=True)
    )


def _with_edits(content: str, edits: Sequence[Edit]) -> str:
    """The content with the edits made where they are not made yet."""
    for edit in edits:
        exact = _exact(content, edit.remembered)
        if exact is not None and edit.new not in content:
            content = content.replace(exact, _indented_like(edit.new, exact))
    return content
