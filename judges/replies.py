"""What the model may answer, as schemas, and how an answer is read."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_core.model import ModelReply, ResponseSchema
from judges.rubric import Rubric
from judges.verdict import Polarity, Severity

Intent = Literal[
    "feature",
    "fix",
    "refactor",
    "test",
    "documentation",
    "review",
    "release",
    "question",
    "other",
    "unclear",
]
Outcome = Literal["success", "partial", "abandoned", "unclear"]
Problem = Literal[
    "refusal", "truncated", "bad_json", "unknown_step", "unknown_type", "missing_verdict"
]


class Unusable(Exception):
    """An answer that cannot be used; `problem` is its reason, `words` what to tell the model.

    `requests` are the hashes of those whose answers stay unusable, when that is settled.
    """

    requests: tuple[str, ...] = ()

    def __init__(self, problem: Problem, words: str) -> None:
        super().__init__(words)
        self.problem = problem
        self.words = words


MAX_MOMENTS = 200
MAX_TEXT_CHARS = 600
"""The privacy filter turns down what is longer."""

_Text = Annotated[
    str, Field(max_length=MAX_TEXT_CHARS, description=f"at most {MAX_TEXT_CHARS} characters")
]
# Limits that strict endpoints do not take in a schema; they hold when the answer is read.
_LIMITS = ("maxItems", "maxLength")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


_Reply = TypeVar("_Reply", bound=_Strict)


class FoundMoment(_Strict):
    """One moment of the find pass; `step` is a number of the data."""

    polarity: Polarity
    type: str
    step: int
    severity: Severity
    confidence: float = Field(ge=0, le=1)
    citation: _Text


class FindReply(_Strict):
    """The find pass over one window."""

    summary: _Text
    intent: Intent
    outcome: Outcome
    moments: list[FoundMoment] = Field(max_length=MAX_MOMENTS, description=f"at most {MAX_MOMENTS}")


class Verdict(_Strict):
    """The verify pass on one moment, by its number in the request."""

    moment: int
    holds: bool
    severity: Severity
    confidence: float = Field(ge=0, le=1)


class VerifyReply(_Strict):
    """The verify pass; one verdict a moment."""

    verdicts: list[Verdict] = Field(max_length=MAX_MOMENTS)


class _PassReply(_Strict):
    answer: FindReply | VerifyReply


class _FindAnswer(_Strict):
    answer: FindReply


class _VerifyAnswer(_Strict):
    answer: VerifyReply


class RewriteReply(_Strict):
    """Rewritten texts in the order of the request."""

    texts: list[str]


def pass_schema(rubric: Rubric) -> ResponseSchema:
    """What either pass may answer, with the rubric's types as the only ones.

    One schema for both: endpoints put it before the system prompt, so that a second one would
    share no cached prefix with the first.
    """
    schema = _without_limits(_PassReply.model_json_schema())
    names = dict.fromkeys([*rubric.names("friction"), *rubric.names("delight")])
    schema["$defs"]["FoundMoment"]["properties"]["type"]["enum"] = list(names)
    return ResponseSchema("judgement", schema)


def rewrite_schema() -> ResponseSchema:
    return ResponseSchema("texts", RewriteReply.model_json_schema())


def read_find(reply: ModelReply, rubric: Rubric, steps: Sequence[int]) -> FindReply:
    """The find pass's answer; raises Unusable."""
    found = _parsed(reply, _FindAnswer).answer
    for moment in found.moments:
        if moment.step not in steps:
            raise Unusable("unknown_step", "it points at a step that is not in the data")
        if moment.type not in rubric.names(moment.polarity):
            raise Unusable("unknown_type", f"it names a type that {moment.polarity} does not have")
    return found


def read_verify(reply: ModelReply, count: int) -> list[Verdict]:
    """Verdicts in the order of the moments; raises Unusable unless each has exactly one."""
    verdicts = _parsed(reply, _VerifyAnswer).answer.verdicts
    by_moment = {verdict.moment: verdict for verdict in verdicts}
    if len(verdicts) != count or set(by_moment) != set(range(1, count + 1)):
        raise Unusable("missing_verdict", f"it does not judge each of the {count} moments once")
    return [by_moment[number] for number in range(1, count + 1)]


def read_rewrite(reply: ModelReply, count: int) -> list[str]:
    """Rewritten texts; raises Unusable unless there are as many as asked for."""
    texts = _parsed(reply, RewriteReply).texts
    if len(texts) != count:
        raise Unusable("bad_json", f"it does not hold {count} texts")
    return texts


def _parsed(reply: ModelReply, kind: type[_Reply]) -> _Reply:
    if reply.refusal is not None or reply.finish_reason == "content_filter":
        raise Unusable("refusal", "it was a refusal")
    if reply.finish_reason == "length":
        raise Unusable("truncated", "it was cut off; be briefer")
    try:
        return kind.model_validate_json(reply.text)
    except ValidationError as error:
        words = "it is not JSON of the given schema, or not what the task asks for"
        if any(fault["type"] in ("too_long", "string_too_long") for fault in error.errors()):
            words = (
                f"it holds over {MAX_MOMENTS} moments, or a text over {MAX_TEXT_CHARS} characters"
            )
        raise Unusable("bad_json", words) from error


def _without_limits(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {k: _without_limits(v) for k, v in schema.items() if k not in _LIMITS}
    return [_without_limits(v) for v in schema] if isinstance(schema, list) else schema
