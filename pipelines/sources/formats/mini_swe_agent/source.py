"""mini-SWE-agent trajectories: `mini-swe-agent-1` and `1.1`, and the bare lists before them.

Format: mini-SWE-agent's "Output files" page and its agents and models.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from agent_core.session import Session, Step
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import content_text, id_of, mapping_of, text_of
from pipelines.sources.formats.mini_swe_agent.model_calls import money, response_of
from pipelines.sources.formats.mini_swe_agent.steps import Conversation, is_message
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed

_OBSERVATION = "<returncode>"
_SEEN = 60
_OWN_INFO = frozenset(("exit_status", "model_stats", "mini_version"))


class MiniSweAgent:
    """Reads the runs of mini-SWE-agent; the task and the machine speak, and no person."""

    name = "mini_swe_agent"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the document states the format, or its messages tell return codes."""
        return _run_in(head.document) is not None

    def read(self, log: LogFile) -> Parsed:
        """One session."""
        run = _run_in(log.head.document)
        if run is None:
            return Parsed(())
        conversation = Conversation(run.messages, run.pointer, run.info)
        steps = conversation.steps()
        session = _session(log, run, steps) if steps else None
        return Parsed((session,) if session else (), tuple(conversation.quarantined))


class _Run(NamedTuple):
    messages: list[Any]
    pointer: str
    """Leads to the list of messages."""
    about: Mapping[str, Any]
    """The object that holds the messages; empty for a bare list."""

    @property
    def info(self) -> Mapping[str, Any]:
        return mapping_of(self.about, "info")


def _run_in(document: Any) -> _Run | None:
    if isinstance(document, list):
        seen = [message for message in document[:_SEEN] if isinstance(message, dict)]
        is_own = any(_tells_return_code(message) for message in seen)
        return _Run(document, "#", {}) if is_own else None
    messages = document.get("messages") if isinstance(document, dict) else None
    if not isinstance(messages, list):
        return None
    is_named = text_of(document, "trajectory_format").startswith("mini-swe-agent")
    is_likely = len(_OWN_INFO & mapping_of(document, "info").keys()) > 1
    if is_named or (is_likely and any(map(is_message, messages[:_SEEN]))):
        return _Run(messages, "#/messages", document)
    return None


def _tells_return_code(message: dict[str, Any]) -> bool:
    is_user = message.get("role") == "user"
    return is_user and content_text(message.get("content")).startswith(_OBSERVATION)


def _session(log: LogFile, run: _Run, steps: tuple[Step, ...]) -> Session:
    config = mapping_of(run.info, "config")
    session_id = _session_id(run) or f"{log.path}#0"
    model = text_of(mapping_of(config, "model"), "model_name") or None
    exit_status = id_of(run.info, "exit_status")
    session = Session(
        key=f"{MiniSweAgent.name}:{session_id}",
        format=MiniSweAgent.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=_with_rest_of_cost(_with_model(steps, model), run.info),
        agent="mini-swe-agent",
        agent_version=id_of(run.info, "mini_version") or None,
        project=text_of(mapping_of(config, "environment"), "cwd") or None,
        is_autonomous=True,
        # How the run ended says nothing about whether the task was solved.
        extra={"exit_status": exit_status} if exit_status else {},
    )
    return with_facts_of_steps(session)


def _session_id(run: _Run) -> str:
    """The task's id and the first mark that no other run can have: an answer's id or its time.

    Without such a mark two runs of one task would be taken for one: then the place must do.
    """
    for message in run.messages:
        extra = mapping_of(message, "extra")
        mark = id_of(response_of(message), "id") or extra.get("timestamp")
        if isinstance(mark, str | float) and mark:
            digest = hashlib.sha256(str(mark).encode("utf-8", "replace")).hexdigest()[:12]
            return "-".join(filter(None, (id_of(run.about, "instance_id"), digest)))
    return ""


def _with_model(steps: tuple[Step, ...], model: str | None) -> list[Step]:
    return [
        replace(step, model=model) if step.source == "agent" and not step.model else step
        for step in steps
    ]


def _with_rest_of_cost(steps: list[Step], info: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps; what the run cost beyond its steps' own costs stands at the agent's last one."""
    total = money(mapping_of(info, "model_stats").get("instance_cost"))
    last = max((i for i, step in enumerate(steps) if step.source == "agent"), default=None)
    if total is None or last is None:
        return tuple(steps)
    rest = total - sum(step.cost_usd or 0.0 for step in steps)
    # Costs are logged in micro-dollars at best: less is the error of adding them up.
    if rest > 1e-6:
        steps[last] = replace(steps[last], cost_usd=(steps[last].cost_usd or 0.0) + rest)
    return tuple(steps)


SOURCE = MiniSweAgent()
