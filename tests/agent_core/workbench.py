"""What the agent's tests share: a scripted model, a ticking clock, a session on a folder."""

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from agent_core.agent import Opening, open_session
from agent_core.loop import Advise, AgentSession
from agent_core.model import (
    CallRequest,
    ChatMessage,
    FinishReason,
    ModelReply,
    ResponseSchema,
    ToolSchema,
)
from agent_core.policy import AgentState, Policy
from agent_core.sandbox import Sandbox, find_sandbox
from agent_core.sandbox.inherited import Inherited
from agent_core.session import Observation, Tokens, ToolCall
from agent_core.toolkit import Toolbox, Workspace, load_tools

RELEASE = "0.1.0+abcdefabcdef"


@cache
def a_sandbox() -> Sandbox | None:
    """The sandbox that works here; inside one (the patch gates), the one that holds already."""
    return Inherited() if "SIGNALS_SANDBOX" in os.environ else find_sandbox()


class Ticking:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self._now = datetime(2026, 9, 1, 9, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


class ScriptedModel:
    """Answers by its script, keeps the prompts, fails when the script is exhausted."""

    name = "scripted"

    def __init__(self, *replies: ModelReply | Exception) -> None:
        self._replies = list(replies)
        self.prompts: list[list[ChatMessage]] = []
        self.tools: Sequence[ToolSchema] = ()

    def __call__(
        self,
        messages: Sequence[ChatMessage],
        *,
        tools: Sequence[ToolSchema] = (),
        response_schema: ResponseSchema | None = None,
    ) -> ModelReply:
        """The next reply of the script."""
        self.prompts.append(list(messages))
        self.tools = tools
        assert self._replies, f"the script is exhausted at call {len(self.prompts)}"
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def says(text: str, *, finish: FinishReason = "stop", refusal: str | None = None) -> ModelReply:
    """A reply without calls."""
    return ModelReply(text, tokens=Tokens(10, 0, 5), finish_reason=finish, refusal=refusal)


def calls(tool: str, text: str = "", *, number: int = 1, **arguments: Any) -> ModelReply:
    """A reply with one call."""
    request = CallRequest(f"c{number}", tool, json.dumps(arguments))
    return ModelReply(text, (request,), Tokens(10, 2, 5), "tool_calls")


def opened(
    workspace: Path,
    home: Path,
    policy: Policy,
    *,
    sandbox: Sandbox | None = None,
    watch: Callable[[AgentState], bool] | None = None,
    advise: Advise | None = None,
) -> AgentSession:
    """A session `s1` with a fixed release and a ticking clock."""
    opening = Opening("s1", Ticking(), user="ana", project="demo", release=RELEASE)
    return open_session(
        workspace, home, policy, opening=opening, sandbox=sandbox, watch=watch, advise=advise
    )


def call_tool(
    root: Path, tool: str, sandbox: Sandbox | None = None, **arguments: Any
) -> Observation:
    """What a bundled tool gives on a folder."""
    toolbox = Toolbox(load_tools(), Workspace(root), sandbox)
    return toolbox.execute(ToolCall("c1", tool, arguments))
