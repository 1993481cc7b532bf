"""SWE-agent trajectories (`.traj`): those of 0.x and 1.x, several attempts, bare demonstrations.

Format: SWE-agent's `types.py`. `trajectory` tells what the agent did, also what it did in vain
and was asked for again; `history` holds the prompts and the ids of the calls. There are no times
and no error flags; tokens and cost are totals of the run.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from agent_core.session import Session, Step, Tokens
from pipelines.sources.drafting import with_facts_of_steps
from pipelines.sources.fields import count_of, id_of, mapping_of, objects_of, text_of
from pipelines.sources.formats.swe_agent.steps import RunSteps, is_message, is_step, read_steps
from pipelines.sources.json_text import decode_object
from pipelines.sources.log_file import Head, LogFile
from pipelines.sources.reading import Evidence, Parsed, Quarantined

_SEEN = 20
_COST_LIMIT = 1e9


class SweAgent:
    """Reads the runs of SWE-agent; nobody speaks in them but the task and the machine."""

    name = "swe_agent"
    version = 1
    evidence: Evidence = "real files"
    is_general = False

    def detect(self, head: Head) -> bool:
        """Whether the document is a trajectory with its history, or several attempts at one."""
        return _is_run(head.document) or bool(_attempts(head.document))

    def read(self, log: LogFile) -> Parsed:
        """One session, or one for each attempt."""
        document = log.head.document
        runs = _attempts(document)
        if not runs and isinstance(document, dict):
            runs = [_Run(document, "#")]
        sessions: list[Session] = []
        quarantined: list[Quarantined] = []
        for run in runs:
            steps = read_steps(run.document, run.pointer)
            sessions.append(_session(log, run, steps))
            quarantined += steps.quarantined
        return Parsed(tuple(s for s in sessions if s.steps), tuple(quarantined))


class _Run(NamedTuple):
    """One run of the agent over its task; `pointer` leads to its object."""

    document: dict[str, Any]
    pointer: str
    attempt: int | None = None
    """1-based, where the log holds several; the log repeats the best one at its top."""


def _is_run(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    history, trajectory = document.get("history"), document.get("trajectory")
    if isinstance(trajectory, list) and isinstance(history, list) and "info" in document:
        seen = [*trajectory[:_SEEN], *history[:_SEEN]]
        return not seen or any(is_step(item) or is_message(item) for item in seen)
    messages = objects_of(document, "history")[:_SEEN]
    return bool(messages) and all(map(_is_own_message, messages))


def _attempts(document: Any) -> list[_Run]:
    attempts = document.get("attempts") if isinstance(document, dict) else None
    return [
        _Run(attempt, f"#/attempts/{index}", index + 1)
        for index, attempt in enumerate(attempts if isinstance(attempts, list) else [])
        if _is_run(attempt)
    ]


def _is_own_message(item: dict[str, Any]) -> bool:
    return is_message(item) and ("agent" in item or "message_type" in item)


def _session(log: LogFile, run: _Run, steps: RunSteps) -> Session:
    info = mapping_of(run.document, "info")
    config = decode_object(run.document.get("replay_config"))
    session_id = _session_id(log, run, config, steps)
    exit_status = id_of(info, "exit_status")
    session = Session(
        key=f"{SweAgent.name}:{session_id}",
        format=SweAgent.name,
        session_id=session_id,
        source_path=str(log.path),
        steps=tuple(_with_totals(steps.steps, info, _model(config), str(log.path))),
        agent="swe-agent",
        agent_version=id_of(info, "swe_agent_version") or None,
        project=steps.folder or None,
        is_autonomous=True,
        # How the run ended says nothing about whether the task was solved.
        extra={"exit_status": exit_status} if exit_status else {},
    )
    return with_facts_of_steps(session)


def _session_id(log: LogFile, run: _Run, config: Mapping[str, Any], steps: RunSteps) -> str:
    """The task's id and a mark of the run, else the place of the file.

    Runs of one task with one configuration begin alike; only the time that the first command
    took tells them apart. A replay in which no command was timed is told by its place alone.
    """
    task = id_of(mapping_of(config, "problem_statement"), "id", "instance_id")
    first = next(iter(objects_of(run.document, "trajectory")), {})
    took = first.get("execution_time")
    if not task or not isinstance(took, float) or not took:
        return f"{log.path}{run.pointer}" if run.attempt else f"{log.path}#0"
    begun = [steps.task, *(id_of(first, key) for key in ("action", "response"))]
    mark = "\0".join([*begun, repr(took)])
    digest = hashlib.sha256(mark.encode("utf-8", "replace")).hexdigest()[:12]
    attempt = f"-attempt{run.attempt}" if run.attempt else ""
    return f"{task}{attempt}-{digest}"


def _model(config: Mapping[str, Any]) -> str | None:
    return text_of(mapping_of(mapping_of(config, "agent"), "model"), "name") or None


def _with_totals(
    steps: list[Step], info: Mapping[str, Any], model: str | None, path: str
) -> Iterator[Step]:
    """The steps; the last of the agent's carries the tokens and the cost of the whole run."""
    spent = mapping_of(info, "model_stats")
    last = max((i for i, step in enumerate(steps) if step.source == "agent"), default=None)
    for position, step in enumerate(steps):
        is_last = position == last
        yield replace(
            step,
            model=model if step.source == "agent" else None,
            tokens=_tokens(spent) if is_last else None,
            cost_usd=_cost(spent) if is_last else None,
            source_path=path,
        )


def _tokens(spent: Mapping[str, Any]) -> Tokens | None:
    sent, received = count_of(spent, "tokens_sent"), count_of(spent, "tokens_received")
    return Tokens(input=sent, output=received) if sent or received else None


def _cost(spent: Mapping[str, Any]) -> float | None:
    """The cost of the run; a model whose price is unknown is logged as 0."""
    cost = spent.get("instance_cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        return None
    return float(cost) if 0 < cost < _COST_LIMIT else None


SOURCE = SweAgent()
