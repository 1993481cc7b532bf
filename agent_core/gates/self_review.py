"""The review of a patch by a model, where one is configured."""

import json
from pathlib import Path

from agent_core.errors import ModelError
from agent_core.gates.result import NO_MODEL, Candidate, Finding
from agent_core.model import ChatMessage, ResponseSchema
from agent_core.redaction import redact_values

_PROMPT = Path(__file__).parent / "self_review.md"
_MOST_CHARS = 60_000
_SCHEMA = ResponseSchema(
    "review",
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["verdict", "reason"],
        "properties": {
            "verdict": {"type": "string", "enum": ["approve", "reject"]},
            "reason": {"type": "string"},
        },
    },
)


def review(candidate: Candidate) -> Finding:
    """The model's verdict on task and diff; what it cannot answer is `unscored`."""
    if candidate.reviewer is None:
        return Finding("unscored", NO_MODEL)
    if len(candidate.diff) > _MOST_CHARS:
        # Else a patch could grow until nobody looks at it.
        return Finding("failed", f"the diff is longer than {_MOST_CHARS} characters")
    data = json.dumps(redact_values({"task": candidate.description, "diff": candidate.diff}))
    messages = [ChatMessage("system", _PROMPT.read_text("utf-8")), ChatMessage("user", data)]
    try:
        reply = candidate.reviewer(messages, response_schema=_SCHEMA)
    except ModelError as error:
        return Finding("unscored", f"the model gave no review: {error}")
    return _finding(reply.text)


def _finding(text: str) -> Finding:
    try:
        answer = json.loads(text)
        verdict, reason = str(answer["verdict"]), " ".join(str(answer["reason"]).split())[:300]
    except (ValueError, TypeError, KeyError):
        return Finding("unscored", "the model's review cannot be read")
    if verdict not in ("approve", "reject"):
        return Finding("unscored", "the model's review has no verdict")
    return Finding("passed" if verdict == "approve" else "failed", reason)
