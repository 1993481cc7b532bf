"""The bundled agent, put together: tools on a folder, a policy, a log and a record in a home."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_core.errors import BadInputError
from agent_core.loop import Advise, AgentResult, AgentSession
from agent_core.policy import AgentState, Policy
from agent_core.recorder import Recorder
from agent_core.release import current_release
from agent_core.sandbox import Sandbox
from agent_core.session_log import Clock, LogHeader, SessionLog
from agent_core.toolkit import Tool, Toolbox, Workspace, load_tools


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session is opened with; ids and clock come from outside."""

    session_id: str
    clock: Clock
    user: str | None = None
    project: str | None = None
    release: str | None = None
    """None: that of the checkout that this code runs from."""


def run_task(
    task: str,
    repo: Path,
    home: Path,
    policy: Policy,
    *,
    opening: Opening,
    sandbox: Sandbox | None,
    advise: Advise | None = None,
) -> AgentResult:
    """One task on a folder; the log is `<home>/sessions/<session id>.json`.

    Raises BadInputError when the folder is none, and what the policy's model raises.
    """
    session = open_session(repo, home, policy, opening=opening, sandbox=sandbox, advise=advise)
    return session.send(task)


def open_session(
    repo: Path,
    home: Path,
    policy: Policy,
    *,
    opening: Opening,
    sandbox: Sandbox | None,
    watch: Callable[[AgentState], bool] | None = None,
    advise: Advise | None = None,
) -> AgentSession:
    """A conversation on a folder: `send` it one turn of the user after the other.

    `watch` and `advise` are those of `AgentSession`.
    """
    if not repo.is_dir():
        raise BadInputError(f"{repo} is no folder; name the repository that the agent works on")
    workspace = Workspace(repo)
    header = LogHeader(
        session_id=opening.session_id,
        release=opening.release or current_release(),
        user=opening.user,
        project=opening.project or workspace.root.name,
        extra={"policy": policy.name},
    )
    return AgentSession(
        policy=policy,
        toolbox=Toolbox(load_tools(), workspace, sandbox),
        log=SessionLog(home / "sessions" / f"{opening.session_id}.json", header, opening.clock),
        recorder=Recorder(home / "replay", opening.session_id, workspace),
        watch=watch,
        advise=advise,
    )


def run_agent(
    task: str,
    *,
    workspace: Workspace,
    policy: Policy,
    tools: Mapping[str, Tool],
    session_log: SessionLog,
    sandbox: Sandbox | None,
    recorder: Recorder | None = None,
) -> AgentResult:
    """One task of a program, with parts that the caller made: the session is an autonomous run.

    See `open_session` for the conversations of a person.
    """
    session = AgentSession(
        policy=policy,
        toolbox=Toolbox(tools, workspace, sandbox),
        log=session_log,
        recorder=recorder,
    )
    return session.send(task, by="system")
