"""Codex CLI.

Choices: the person's turns are the `user_message` events; a file of a version without events
counts its user messages instead. What `codex exec` is given counts like what is typed. A call
is known by its session, id, name and arguments, since ids are not unique everywhere. An item of
any type that ends in `_call` is a call, and so is what a script of the agent called over MCP,
which only an event tells. Tokens are the highest total of a file, because totals only grow; no
real file restarts them, and none is a fork.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import logs, number, records
from tests.pipelines.sources.counting.texts import is_of_machine, states_failure, text_of_content


def count(paths: Iterable[Path]) -> Counts:
    """The figures of Codex CLI."""
    sessions: dict[str, list[dict[str, Any]]] = {}
    for path in logs(paths):
        lines = records(path)
        metas = [one["payload"] for one in lines if one.get("type") == "session_meta"]
        sessions.setdefault(str(metas[0].get("id") if metas else path), []).extend(lines)
    spoken = {key: lines for key, lines in sessions.items() if any(map(_is_message, lines))}
    totals = [_totals(lines) for lines in spoken.values()]
    return Counts(
        len(spoken),
        sum(_turns(lines) for lines in spoken.values()),
        sum(len(_calls(lines)) for lines in spoken.values()),
        sum(map(_failures, spoken.values())),
        *(
            sum(number(total.get(key)) for total in totals)
            for key in (
                "input_tokens",
                "cached_input_tokens",
                "output_tokens",
                "reasoning_output_tokens",
            )
        ),
    )


def _is_message(line: dict[str, Any]) -> bool:
    return line.get("type") == "response_item" and "role" in line["payload"]


def _of_type(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [
        line["payload"]
        for line in lines
        if line.get("type") in {"event_msg", "response_item"}
        and line["payload"].get("type") == kind
    ]


def _turns(lines: list[dict[str, Any]]) -> int:
    texts = [str(event.get("message")) for event in _of_type(lines, "user_message")]
    if not texts:
        texts = [
            text_of_content(line["payload"].get("content"))
            for line in lines
            if _is_message(line) and line["payload"]["role"] == "user"
        ]
    return sum(not is_of_machine(text) for text in texts)


def _calls(lines: list[dict[str, Any]]) -> set[str]:
    items = {
        f"{item.get('call_id')} {item.get('name')} {item.get('arguments') or item.get('input')}"
        for line in lines
        if line.get("type") == "response_item"
        for item in [line["payload"]]
        if str(item.get("type")).endswith("_call")
    }
    known = {item.split(" ")[0] for item in items}
    return items | {event["call_id"] for event in _of_type(lines, "mcp_tool_call_end")} - known


def _failures(lines: list[dict[str, Any]]) -> int:
    results = {
        item["call_id"]: item.get("output")
        for kind in ("function_call_output", "custom_tool_call_output")
        for item in _of_type(lines, kind)
    }
    return sum(_failed(output) for output in results.values())


def _failed(output: Any) -> bool:
    text = text_of_content(output)
    if text.startswith('{"output":'):
        text = text[text.rfind('"exit_code":') :]
    return states_failure(text)


def _totals(lines: list[dict[str, Any]]) -> dict[str, Any]:
    totals: dict[str, Any] = {}
    for event in _of_type(lines, "token_count"):
        total = (event.get("info") or {}).get("total_token_usage") or {}
        if number(total.get("total_tokens")) >= number(totals.get("total_tokens")):
            totals = total or totals
    return totals
