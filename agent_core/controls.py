"""The calls that a model makes to its own loop, not to the workspace: a new plan, a question.

They are declared to it like tools, logged like tools, and never replayed: no tool is run. Their
names are those that other agents use, which the judges know.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_core.model import ToolSchema
from agent_core.plan import Plan, Subtask
from agent_core.session import Observation, ToolCall
from agent_core.toolkit.tool import failed

_MOST_SUBTASKS = 20

UPDATE_PLAN = ToolSchema(
    "update_plan",
    "Replaces the plan when what was observed changes what is to be done. Give all subtasks, also "
    "those that are done. A subtask that names tools is marked done by the next call of one of "
    "them that serves; of any other say yourself, by a new plan, when it is done.",
    {
        "type": "object",
        "required": ["subtasks"],
        "additionalProperties": False,
        "properties": {
            "subtasks": {
                "type": "array",
                "minItems": 1,
                "maxItems": _MOST_SUBTASKS,
                "items": {
                    "type": "object",
                    "required": ["text"],
                    "additionalProperties": False,
                    "properties": {
                        "text": {"type": "string", "description": "What is to be done."},
                        "status": {"type": "string", "enum": ["open", "done", "failed"]},
                        "tools": {"type": "array", "items": {"type": "string"}},
                    },
                },
            }
        },
    },
)
REQUEST_USER_INPUT = ToolSchema(
    "request_user_input",
    "Ends your turn with a question to the user. Use it instead of guessing where the request can "
    "be read in two ways that lead to different work and the files do not tell which is meant; "
    "never for what you can find out with the tools.",
    {
        "type": "object",
        "required": ["question"],
        "additionalProperties": False,
        "properties": {
            "question": {
                "type": "string",
                "description": "One question, with the ways to read the request and what each "
                "would come to.",
            }
        },
    },
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Subtask(_Strict):
    text: str = Field(min_length=1, max_length=300)
    status: Literal["open", "done", "failed"] = "open"
    tools: tuple[str, ...] = ()


class _NewPlan(_Strict):
    subtasks: tuple[_Subtask, ...] = Field(min_length=1, max_length=_MOST_SUBTASKS)


class _Question(_Strict):
    question: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Control:
    """What a call to the loop came to."""

    observation: Observation
    plan: Plan | None = None
    question: str | None = None


def controls(*, has_person: bool) -> tuple[ToolSchema, ...]:
    """Those that are offered; a question only where somebody can answer."""
    return (UPDATE_PLAN, REQUEST_USER_INPUT) if has_person else (UPDATE_PLAN,)


def control(call: ToolCall, *, has_person: bool) -> Control | None:
    """What a call comes to; None where it is one to a tool."""
    if call.name == UPDATE_PLAN.name:
        return _revised(call)
    if call.name != REQUEST_USER_INPUT.name:
        return None
    if not has_person:
        words = "nobody can be asked here: a program gave the task; decide, or submit with gave_up"
        return Control(failed(call, "unknown_tool", words))
    return _asked(call)


def _revised(call: ToolCall) -> Control:
    try:
        new = _NewPlan.model_validate(dict(call.arguments))
    except ValidationError as error:
        return _refused(call, error)
    plan = tuple(Subtask(one.text, frozenset(one.tools), one.status) for one in new.subtasks)
    return Control(Observation(call.call_id, f"the plan has {len(plan)} subtasks now"), plan=plan)


def _asked(call: ToolCall) -> Control:
    try:
        question = _Question.model_validate(dict(call.arguments)).question
    except ValidationError as error:
        return _refused(call, error)
    return Control(Observation(call.call_id, "asked; the answer follows"), question=question)


def _refused(call: ToolCall, error: ValidationError) -> Control:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    words = f"invalid argument: {place}: {first['msg']}; see the schema of {call.name}"
    return Control(failed(call, "invalid_arguments", words))
