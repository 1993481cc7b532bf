"""The session log of the agent core: one ATIF v1.8 document a session, whole after every step.

What ATIF lacks is under `extra`: `is_error, error_class, error_signature` of a result, `event` of
a step (interrupt, api_error, compaction, step_limit, budget, advice), `plan` where it changed,
`ending` of an agent's step that asks the user, and `release, user, project` at the root.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent_core.plan import Plan
from agent_core.policy import Action
from agent_core.private_files import write_atomically
from agent_core.release import AGENT_NAME
from agent_core.session import Observation

SCHEMA_VERSION = "ATIF-v1.8"

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class LogHeader:
    """What is known of a session before its first step."""

    session_id: str
    release: str
    """Package version + tree hash, see `agent_core.release`."""
    model_name: str | None = None
    user: str | None = None
    project: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class SessionLog:
    """Appends steps to the document at `path` (mode 0600); a reader never sees half of one."""

    def __init__(self, path: Path, header: LogHeader, clock: Clock) -> None:
        self.path = path
        self.session_id = header.session_id
        self._clock = clock
        self._steps: list[dict[str, Any]] = []
        self._document = _root(header)

    @property
    def last_ref(self) -> str:
        """The JSON pointer of the newest step."""
        return f"#/steps/{len(self._steps) - 1}"

    def system(self, text: str) -> None:
        """Instructions that no person wrote."""
        self._append("system", text)

    def user(self, text: str) -> None:
        """A turn of the person."""
        self._append("user", text)

    def event(self, event: str, text: str) -> None:
        """Something that is no turn; an interrupt is the user's, the rest the system's."""
        source = "user" if event == "interrupt" else "system"
        self._append(source, text, extra={"event": event})

    def agent(
        self, action: Action, observations: Sequence[Observation], plan: Plan | None = None
    ) -> None:
        """One action with its results, and the plan where it changed."""
        fields: dict[str, Any] = {"llm_call_count": 0 if action.model is None else 1}
        if action.model is not None:
            fields["model_name"] = action.model
        if action.model is not None and action.reasoning:
            fields["reasoning_content"] = action.reasoning
        if action.model is not None and action.tokens is not None:
            tokens = action.tokens
            fields["metrics"] = {
                "prompt_tokens": tokens.input,
                "cached_tokens": tokens.cached,
                "completion_tokens": tokens.output,
            }
        if action.tool_calls:
            fields["tool_calls"] = [
                {
                    "tool_call_id": call.call_id,
                    "function_name": call.name,
                    "arguments": dict(call.arguments),
                }
                for call in action.tool_calls
            ]
            fields["observation"] = {"results": [_result(one) for one in observations]}
        if extra := _extra(action, plan):
            fields["extra"] = extra
        self._append("agent", action.text, **fields)

    def _append(self, source: str, message: str, **fields: Any) -> None:
        now = self._clock().astimezone(UTC).isoformat(timespec="milliseconds")
        step = {"step_id": len(self._steps) + 1, "timestamp": now.replace("+00:00", "Z")}
        self._steps.append(step | {"source": source, "message": message} | fields)
        metrics = _final_metrics(self._steps)
        write_atomically(
            self.path, self._document | {"steps": self._steps, "final_metrics": metrics}
        )


def _root(header: LogHeader) -> dict[str, Any]:
    known = {"release": header.release, "user": header.user, "project": header.project}
    agent: dict[str, Any] = {"name": AGENT_NAME, "version": header.release.split("+")[0]}
    if header.model_name is not None:
        agent["model_name"] = header.model_name
    return {
        "schema_version": SCHEMA_VERSION,
        "session_id": header.session_id,
        "agent": agent,
        "extra": {k: v for k, v in (known | header.extra).items() if v is not None},
    }


def _extra(action: Action, plan: Plan | None) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if plan is not None:
        extra["plan"] = [{"text": s.text, "status": s.status} for s in plan]
    if action.ending == "asked":
        extra["ending"] = "asked"
    return extra


def _result(observation: Observation) -> dict[str, Any]:
    result: dict[str, Any] = {
        "source_call_id": observation.call_id,
        "content": observation.content,
    }
    extra: dict[str, Any] = {"is_error": observation.is_error}
    if observation.is_error:
        extra["error_class"] = observation.error_class
        extra["error_signature"] = observation.error_signature
    return result | {"extra": extra}


def _final_metrics(steps: Sequence[dict[str, Any]]) -> dict[str, int]:
    metrics = [step["metrics"] for step in steps if "metrics" in step]
    return {
        "total_prompt_tokens": sum(one["prompt_tokens"] for one in metrics),
        "total_completion_tokens": sum(one["completion_tokens"] for one in metrics),
        "total_cached_tokens": sum(one["cached_tokens"] for one in metrics),
        "total_steps": len(steps),
    }
