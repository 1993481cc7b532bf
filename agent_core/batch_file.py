"""The files of the Batch API: requests out, answers in, one JSON object a line."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from agent_core.errors import ModelReplyError
from agent_core.model import (
    ChatMessage,
    ModelReply,
    ResponseSchema,
    read_completion,
    request_body,
)

MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
"""Limits of one batch, as the API documents them."""

PATH: Final = "/v1/chat/completions"
"""What every request of a batch calls."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")

Answer = ModelReply | ModelReplyError


def request_line(
    custom_id: str, model: str, messages: Sequence[ChatMessage], schema: ResponseSchema | None
) -> bytes:
    """One request of a batch, with its line end."""
    body = request_body(model, messages, (), schema)
    request = {"custom_id": custom_id, "method": "POST", "url": PATH, "body": body}
    # ASCII, so that a lone surrogate cannot spoil the file.
    return json.dumps(request).encode() + b"\n"


def parts(
    lines: Iterable[tuple[str, bytes]],
    *,
    max_requests: int = MAX_REQUESTS,
    max_bytes: int = MAX_BYTES,
) -> Iterator[dict[str, bytes]]:
    """Requests by custom_id, in groups that fit into one batch each; the first of an id counts."""
    part: dict[str, bytes] = {}
    size = 0
    seen: set[str] = set()
    for custom_id, line in lines:
        if custom_id in seen:
            continue
        seen.add(custom_id)
        if part and (len(part) == max_requests or size + len(line) > max_bytes):
            yield part
            part, size = {}, 0
        part[custom_id] = line
        size += len(line)
    if part:
        yield part


def read_answers(content: bytes) -> dict[str, Answer]:
    """The rows of an output or error file; a line that names no request is left out."""
    found: dict[str, Answer] = {}
    for line in content.split(b"\n"):  # not splitlines: text may hold other line separators
        row = _object(line)
        if isinstance(row.get("custom_id"), str):
            found[row["custom_id"]] = _answer(row)
    return found


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _answer(row: Mapping[str, Any]) -> Answer:
    response, error = row.get("response"), row.get("error")
    if not isinstance(response, dict):
        code = error.get("code") if isinstance(error, dict) else None
        return ModelReplyError(f"the batch did not answer the request: {plain_code(code)}")
    if response.get("status_code") != 200:
        status = response.get("status_code")
        told = status if isinstance(status, int) else "no status"
        return ModelReplyError(f"the endpoint refused the request in the batch: {told}")
    return _reply(response.get("body"))


def _reply(body: object) -> Answer:
    from openai.types.chat import ChatCompletion

    unreadable = ModelReplyError("the batch holds an answer that is no chat completion")
    try:
        # The client's own reader, which does not validate either.
        reply = read_completion(ChatCompletion.construct(None, **cast(dict[str, Any], body)))
    except (AttributeError, IndexError, TypeError):
        return unreadable
    return reply if isinstance(reply.text, str) else unreadable


def plain_code(code: object) -> str:
    """A code of the endpoint, where it is a plain one: nothing else of an error is kept."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "no code"
