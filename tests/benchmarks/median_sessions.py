"""Sessions of median length in any number, the same for the same seed, as Claude Code logs.

All text is invented. Only numbers are taken from real logs: of the 590 sessions with a person
among the shared ones the median has 6 turns of some 100 characters, 22 steps and 7 tool calls;
one call in eighteen fails.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tests.pipelines.claude_log import line, said

_TURNS, _CALLS = 6, 7
_TURN_CHARS = 100
_FAILING = 1 / 18
_FOLDER_FILES = 1_000
_THINGS = [
    "invoice list",
    "download command",
    "login page",
    "price module",
    "search box",
    "menu",
    "upload form",
    "date picker",
    "report page",
    "mail template",
    "cache",
    "import job",
    "settings file",
    "user table",
    "start screen",
    "test data",
    "error message",
    "index",
]
_WISHES = (
    "add a {} option to the {}",
    "the {} should not touch the {} any more",
    "rename the {} in the {}",
    "show the {} above the {}",
    "move the {} out of the {}",
    "sort the {} before the {} is read",
    "write a test for the {} with an empty {}",
    "explain how the {} talks to the {}",
)
_REACTIONS = (
    "No, that is not what I asked for. ",
    "It still fails with the same error. ",
    "Perfect, thank you! ",
    "Why does that break again? ",
    "Looks good. ",
    "Please undo that. ",
)
_TOOLS = ("Edit", "Bash", "Read", "Grep")
_CLAIMS = (
    "Done, the tests pass now.",
    "I changed it as you asked.",
    "Which of the two do you want?",
)


def write_median_sessions(folder: Path, count: int, seed: int = 7) -> None:
    """Write `count` session files below `folder`, 1,000 to a project."""
    for number in range(count):
        path = folder / f"project-{number // _FOLDER_FILES}" / f"m{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        records = _session(f"m{number}", random.Random(seed * 1_000_003 + number))
        path.write_bytes(b"\n".join(map(orjson.dumps, records)) + b"\n")


def _session(name: str, draw: random.Random) -> Iterator[dict[str, Any]]:
    """About a third of the sessions are half as long, and a third are twice as long."""
    scale = draw.choice((0.5, 1.0, 1.0, 2.0))
    turns = max(1, round(_TURNS * scale))
    wishes = [_wish(draw) for _ in range(turns)]
    calls_left = round(_CALLS * scale)
    for turn in range(turns):
        yield said(name, f"{name}-{turn}", turn, _turn(turn, wishes, draw))
        calls = round(calls_left / (turns - turn))
        calls_left -= calls
        for call in range(calls):
            yield from _call(name, f"{name}-{turn}-{call}", turn, draw)
        yield _answer(
            name, f"{name}-{turn}-end", turn, f"{_prose(draw, 300)} {draw.choice(_CLAIMS)}"
        )


def _turn(turn: int, wishes: list[str], draw: random.Random) -> str:
    """A wish, one time in eight an earlier one once more, after a reaction one time in three."""
    wish = draw.choice(wishes[:turn]) if turn and draw.random() < 1 / 8 else wishes[turn]
    return (draw.choice(_REACTIONS) if turn and draw.random() < 1 / 3 else "") + wish


def _wish(draw: random.Random) -> str:
    return _prose(draw, int(draw.lognormvariate(0, 0.5) * _TURN_CHARS))


def _prose(draw: random.Random, chars: int) -> str:
    text = ""
    while len(text) < chars:
        text += (
            draw.choice(_WISHES).format(draw.choice(_THINGS), draw.choice(_THINGS)) + ", please. "
        )
    return text


def _call(name: str, ref: str, minute: int, draw: random.Random) -> Iterator[dict[str, Any]]:
    tool = draw.choice(_TOOLS)
    failed = draw.random() < _FAILING
    arguments = {"file_path": f"src/{draw.randrange(20)}.py", "command": _prose(draw, 60)}
    use = {"type": "tool_use", "id": ref, "name": tool, "input": arguments}
    yield _message(name, ref, minute, [use])
    told = "Error: ENOENT: no such file or directory" if failed else _prose(draw, 800)
    result = {"type": "tool_result", "tool_use_id": ref, "content": told, "is_error": failed}
    content = {"role": "user", "content": [result]}
    yield line(name, f"{ref}-result", minute, type="user", message=content)


def _answer(name: str, ref: str, minute: int, text: str) -> dict[str, Any]:
    return _message(name, ref, minute, [{"type": "text", "text": text}])


def _message(name: str, ref: str, minute: int, content: list[dict[str, Any]]) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 5}
    message = {"id": f"msg-{ref}", "role": "assistant", "model": "made-up", "usage": usage}
    return line(name, ref, minute, type="assistant", message={**message, "content": content})
