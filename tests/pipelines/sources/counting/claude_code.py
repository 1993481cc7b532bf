"""Claude Code.

Choices: `progress` lines repeat what a subagent's own file says and are left out. The prompt of
a sidechain is the agent's. A queued message that is taken out with `remove` was delivered
without a line of its own; `dequeue` is followed by its user line; `popAll` gives it back.
Notifications wait in the same queue, but a message of the person goes first; a bare command in
it is carried out by the client and no turn, while one in a user line was said to the model.
What the server runs for the model (`server_tool_use`) is a call too. A rejected call carries the
flag of an error and counts as one. Made-up files use the same short ids for different things: a
record is known by its uuid and time, a call of the model by its message id and, where that is
short, its session.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number, records
from tests.pipelines.sources.counting.texts import is_of_machine

_CALLS = ("tool_use", "server_tool_use")
_COMMAND = re.compile(r"/[\w:-]+$")
_SHORT = 20  # characters; a real message id has more


def count(paths: Iterable[Path]) -> Counts:
    """The figures of Claude Code."""
    sessions: set[str] = set()
    turns: set[str] = set()
    calls: set[str] = set()
    failed: set[str] = set()
    usage: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in logs(paths):
        lines = _lines(path)
        turns |= _queued_turns(lines)
        for place, line in enumerate(lines):
            message = line.get("message")
            if line.get("type") not in {"user", "assistant"} or not isinstance(message, dict):
                continue
            key = f"{line.get('uuid') or f'{path}:{place}'} {line.get('timestamp')}"
            session = _session(path, line)
            sessions.add(session)
            if line["type"] == "assistant":
                usage[_api_call(message, session, key)].append(message.get("usage") or {})
                calls |= {str(block["id"]) for kind in _CALLS for block in _blocks(message, kind)}
                continue
            failed |= {
                str(block.get("tool_use_id"))
                for block in _blocks(message, "tool_result")
                if block.get("is_error")
            }
            if _is_turn(line, message):
                turns.add(key)
    return Counts(len(sessions), len(turns), len(calls), len(failed), *_tokens(usage))


def _lines(path: Path) -> list[dict[str, Any]]:
    whole = document(path)
    if isinstance(whole, dict) and isinstance(whole.get("loglines"), list):
        return [line for line in whole["loglines"] if isinstance(line, dict)]
    return records(path)


def _session(path: Path, line: dict[str, Any]) -> str:
    session = str(line.get("sessionId") or path)
    return f"{session}/{path.name}" if path.name.startswith("agent-") else session


def _api_call(message: dict[str, Any], session: str, key: str) -> str:
    call = str(message.get("id") or key)
    return call if len(call) > _SHORT else f"{session} {call}"


def _blocks(message: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict) and block.get("type") == kind:
            yield block
        elif isinstance(block, str) and kind == "text":
            yield {"text": block}


def _is_turn(line: dict[str, Any], message: dict[str, Any]) -> bool:
    if line.get("isMeta") or line.get("isCompactSummary") or line.get("isSidechain"):
        return False
    if str(line.get("entrypoint") or "").startswith("sdk-"):
        return False
    content = message.get("content")
    texts = (
        [content]
        if isinstance(content, str)
        else [str(block.get("text") or "") for block in _blocks(message, "text")]
    )
    return any(not is_of_machine(text) for text in texts)


def _queued_turns(lines: list[dict[str, Any]]) -> set[str]:
    waiting: list[str] = []
    delivered: set[str] = set()
    for line in lines:
        if line.get("type") != "queue-operation":
            continue
        operation, text = line.get("operation"), line.get("content")
        if operation == "enqueue":
            waiting.append(str(text))
        elif waiting:
            taken = _next_in(waiting, text)
            waiting.remove(taken)
            if operation == "remove" and not _is_for_the_client(taken):
                delivered.add(f"{line.get('sessionId')} {line.get('timestamp')} {taken}")
    return delivered


def _next_in(waiting: list[str], named: object) -> str:
    if isinstance(named, str) and named in waiting:
        return named
    return next((text for text in waiting if not _is_of_a_task(text)), waiting[0])


def _is_of_a_task(text: str) -> bool:
    return text.startswith(("<", '{"task_id"'))


def _is_for_the_client(text: str) -> bool:
    return _is_of_a_task(text) or is_of_machine(text) or _COMMAND.match(text) is not None


def _tokens(usage: dict[str, list[dict[str, Any]]]) -> tuple[int, int, int, int]:
    def total(key: str) -> int:
        return sum(max(number(one.get(key)) for one in call) for call in usage.values())

    cached = total("cache_read_input_tokens")
    written = total("cache_creation_input_tokens")
    reasoning = sum(
        max(number((one.get("output_tokens_details") or {}).get("thinking_tokens")) for one in call)
        for call in usage.values()
    )
    return total("input_tokens") + cached + written, cached, total("output_tokens"), reasoning
