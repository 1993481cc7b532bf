"""A session as delimited data for a model: numbered steps as JSON lines, in windows.

Each step is one JSON object on one line, so that its text can neither end the data nor forge
another step; secrets are redacted; what is left out of a long text is said in its place.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent_core.redaction import MOST_DEPTH, redact_secrets, redact_values, visible
from agent_core.session import Session, Step

WINDOW_CHARS = 120_000
"""About 30,000 tokens; what a window holds besides the prompt."""
OVERLAP_STEPS = 12
"""Steps that a window repeats of the one before, as context, at most a quarter of its size."""
MAX_TEXT_CHARS = 4_000
"""Of one text of the person or the agent; the middle of a longer one is left out, and said so."""
MAX_RESULT_CHARS = 1_200

OVERLAP_SHARE = 4


@dataclass(frozen=True, slots=True)
class NumberedStep:
    """A step of the session's own with its number (1-based) and its line of data."""

    number: int
    step: Step
    line: str


def numbered_steps(session: Session) -> list[NumberedStep]:
    """The session's own steps, numbered from 1."""
    own = [step for step in session.steps if not step.is_copied_context]
    return [NumberedStep(n, step, _line(n, step)) for n, step in enumerate(own, start=1)]


def windows(
    steps: Sequence[NumberedStep], *, budget: int = WINDOW_CHARS, overlap: int = OVERLAP_STEPS
) -> list[Sequence[NumberedStep]]:
    """Cut into overlapping windows of at most `budget` characters; a longer step stands alone.

    Every step is in at least one window, and each window brings at least one new step.
    """
    cut: list[Sequence[NumberedStep]] = []
    new = 0
    while new < len(steps):
        start = _overlap_start(steps, new, budget // OVERLAP_SHARE, overlap)
        while start < new and _window_end(steps, start, budget) <= new:
            start += 1  # the next step is so long that the overlap has to give way
        end = _window_end(steps, start, budget)
        cut.append(steps[start:end])
        new = end
    return cut


def as_data(steps: Sequence[NumberedStep], session: Session, salt: bytes) -> str:
    """The steps between two marker lines that only who knows the salt can write."""
    return delimited([step.line for step in steps], session, salt)


def delimited(lines: Sequence[str], session: Session, salt: bytes) -> str:
    """Lines of JSON between the session's marker lines."""
    digest = hmac.new(salt, f"data:{session.key}".encode(), hashlib.sha256).hexdigest()[:16]
    data = "\n".join(lines)
    return f"===== data {digest} begins =====\n{data}\n===== data {digest} ends ====="


def session_texts(session: Session) -> list[str]:
    """Every text of the session, for the privacy filter."""
    texts: list[str] = []
    for step in session.steps:
        texts += [step.text, step.reasoning]
        texts += [json.dumps(dict(call.arguments), ensure_ascii=False) for call in step.tool_calls]
        texts += [call.name for call in step.tool_calls]
        texts += [observation.content for observation in step.observations]
    return [text for text in texts if text]


def session_names(session: Session) -> list[str]:
    """What tells whose session it is, for the privacy filter: user, project, ids, the agent."""
    told = (session.user, session.project, session.session_id, session.agent, session.agent_version)
    return [name for name in told if name]


def _overlap_start(steps: Sequence[NumberedStep], new: int, budget: int, overlap: int) -> int:
    """Where the window that brings step `new` begins; the overlap is bounded in steps and size."""
    start, used = new, 0
    while start > max(0, new - overlap):
        used += len(steps[start - 1].line) + 1
        if used > budget:
            break
        start -= 1
    return start


def _window_end(steps: Sequence[NumberedStep], start: int, budget: int) -> int:
    used = 0
    for position in range(start, len(steps)):
        used += len(steps[position].line) + 1
        if used > budget:
            return max(position, start + 1)
    return len(steps)


def _line(number: int, step: Step) -> str:
    said: dict[str, Any] = {"step": number, "by": "person" if step.is_person else step.source}
    if step.event:
        said["event"] = step.event
    if step.text:
        said["text"] = _shown(step.text, MAX_TEXT_CHARS)
    if step.tool_calls:
        said["calls"] = [
            {"tool": _shown(call.name, 80), "arguments": _arguments(dict(call.arguments))}
            for call in step.tool_calls
        ]
    if step.observations:
        said["results"] = [
            {"failed": o.is_error, "text": _shown(o.content, MAX_RESULT_CHARS)}
            for o in step.observations
        ]
    return json.dumps(said, ensure_ascii=False)


def _arguments(arguments: dict[str, Any]) -> str:
    """As JSON text; redacted before, since its escapes would hide a secret from the patterns."""
    redacted = redact_values(_visible_values(arguments))
    return _cut(json.dumps(redacted, ensure_ascii=False), MAX_RESULT_CHARS)


def _visible_values(value: Any, depth: int = 0) -> Any:
    """A JSON value whose texts hold no invisible characters."""
    if isinstance(value, str):
        return visible(value)
    if depth > MOST_DEPTH:
        return "[left out]"
    if isinstance(value, dict):
        return {visible(str(k)): _visible_values(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_visible_values(inner, depth + 1) for inner in value]
    return value


def _shown(text: str, limit: int) -> str:
    """Without control and invisible characters, redacted, the middle left out if too long."""
    return _cut(redact_secrets(visible(text)), limit)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head, tail = text[: limit // 2], text[-limit // 2 :]
    return f"{head}\n[{len(text) - limit} characters left out]\n{tail}"
