"""A corpus of agent logs of any size for the benchmarks, the same for the same seed.

Sessions of Claude Code and Codex in turn, as those programs write them: every call and result in
records of their own, results repeated in a second place, bookkeeping between them. Words follow
Zipf's law over an invented vocabulary; sizes of results and of sessions are log-normal. One
session holds an eighth of all bytes, as a few do on real disks.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson

_MEGABYTE = 1_000_000
_POOL_WORDS = 4_000_000
_VOCABULARY = 20_000
_MEDIAN_SESSION = 1.5 * _MEGABYTE
_LARGEST_SHARE = 8
_START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def write_corpus(folder: Path, megabytes: int, seed: int = 7) -> list[Path]:
    """Write session files of about `megabytes` in all below `folder`."""
    draw = random.Random(seed)
    pool = _pool(seed)
    left = megabytes * _MEGABYTE
    sizes = [left // _LARGEST_SHARE]
    while sum(sizes) < left:
        sizes.append(int(draw.lognormvariate(0, 1.2) * _MEDIAN_SESSION))
    return [
        _write_session(folder, number, min(size, left), pool, seed)
        for number, size in enumerate(sizes)
    ]


def write_small_files(folder: Path, count: int) -> None:
    """Write `count` sessions of three records each, 1,000 to a folder."""
    text = Text("Look at the tests and say what fails " * 100, random.Random(1))
    for number in range(count):
        path = folder / f"project-{number // 1000}" / f"{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = _claude_session(f"small-{number}", text)
        path.write_bytes(b"\n".join(orjson.dumps(next(lines)) for _ in range(3)) + b"\n")


class Text:
    """Draws pieces of text from a pool."""

    def __init__(self, pool: str, draw: random.Random) -> None:
        self.pool, self.draw = pool, draw

    def piece(self, median: int, spread: float = 1.0) -> str:
        """A piece of log-normal length, in characters."""
        length = min(int(self.draw.lognormvariate(0, spread) * median) + 1, len(self.pool) // 2)
        start = self.draw.randrange(len(self.pool) - length)
        return self.pool[start : start + length]

    def result(self) -> tuple[str, bool]:
        """What a tool gives back, and whether it failed: one in twenty does, in a few words."""
        if self.draw.random() < 0.05:
            return f"Error: ENOENT: no such file or directory, open '{self.piece(60, 0.3)}'", True
        return self.piece(2200, 1.3), False

    def name(self) -> str:
        """An id that no other record has."""
        return f"{self.draw.getrandbits(128):032x}"


def _pool(seed: int) -> str:
    numbers = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz_"))
    words = [
        "".join(letters[numbers.integers(0, len(letters), length)])
        for length in numbers.integers(2, 11, _VOCABULARY)
    ]
    words[7], words[11], words[13] = "\n", "    ", '"value": 42,'
    weights = 1 / np.arange(1, _VOCABULARY + 1)
    drawn = numbers.choice(_VOCABULARY, _POOL_WORDS, p=weights / weights.sum())
    return " ".join(words[number] for number in drawn)


def _write_session(folder: Path, number: int, size: int, pool: str, seed: int) -> Path:
    text = Text(pool, random.Random(seed * 1_000_003 + number))
    is_claude = number % 2 == 0
    path = folder / ("claude" if is_claude else "codex") / f"session-{number}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    make: Callable[[str, Text], Iterator[dict[str, Any]]]
    make = _claude_session if is_claude else _codex_session
    written = 0
    with path.open("wb") as file:
        for record in make(f"session-{number}", text):
            written += file.write(orjson.dumps(record) + b"\n")
            if written >= size:
                return path
    return path


def _claude_session(session_id: str, text: Text) -> Iterator[dict[str, Any]]:
    """Records without end."""
    second = 0
    parent: str | None = None

    def line(kind: str, **more: Any) -> dict[str, Any]:
        nonlocal second, parent
        second += 3
        name, parent_of = text.name(), parent
        parent = name
        return {
            "parentUuid": parent_of,
            "isSidechain": False,
            "userType": "external",
            "cwd": "/home/ada/shop",
            "sessionId": session_id,
            "version": "2.1.200",
            "gitBranch": "main",
            "type": kind,
            **more,
            "uuid": name,
            "timestamp": f"{_START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S.000Z}",
        }

    while True:
        yield line("user", message={"role": "user", "content": text.piece(120)})
        for _ in range(text.draw.randrange(2, 14)):
            call_id, message_id = f"toolu_{text.name()}", f"msg_{text.name()}"
            usage = {
                "input_tokens": 12,
                "cache_creation_input_tokens": 900,
                "cache_read_input_tokens": 40_000,
                "output_tokens": 300,
            }
            answer = {"id": message_id, "model": "model-large-1", "role": "assistant"}
            said = {"type": "text", "text": text.piece(300)}
            yield line("assistant", message={**answer, "content": [said], "usage": usage})
            call: dict[str, Any] = {"type": "tool_use", "id": call_id, "name": "Bash"}
            call["input"] = {"command": text.piece(200), "description": text.piece(40)}
            yield line("assistant", message={**answer, "content": [call], "usage": usage})
            output, failed = text.result()
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id}
            result["content"] = output
            result["is_error"] = failed
            content = {"role": "user", "content": [result]}
            copied = {"stdout": output, "stderr": "", "interrupted": False}
            yield line("user", message=content, toolUseResult=copied)
            yield {"type": "file-history-snapshot", "messageId": text.name(), "snapshot": {}}


def _codex_session(session_id: str, text: Text) -> Iterator[dict[str, Any]]:
    """Records without end."""
    second = 0
    spent = 0

    def record(kind: str, **payload: Any) -> dict[str, Any]:
        nonlocal second
        second += 2
        stamp = f"{_START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S.000Z}"
        return {"timestamp": stamp, "type": kind, "payload": payload}

    def message(role: str, kind: str, said: str) -> dict[str, Any]:
        content = [{"type": kind, "text": said}]
        return record("response_item", type="message", role=role, content=content)

    yield record("session_meta", id=session_id, cwd="/home/ada/shop", cli_version="0.140.0")
    yield record("turn_context", model="model-large-2", effort="high")
    while True:
        asked = text.piece(120)
        yield message("user", "input_text", asked)
        yield record("event_msg", type="user_message", message=asked)
        for _ in range(text.draw.randrange(2, 14)):
            call_id = f"call_{text.name()[:24]}"
            arguments = orjson.dumps({"command": ["bash", "-lc", text.piece(200)]}).decode()
            call = {"name": "shell", "arguments": arguments, "call_id": call_id}
            yield record("response_item", type="function_call", **call)
            told, failed = text.result()
            output = f"Exit code: {int(failed)}\nWall time: 1 seconds\nOutput:\n{told}"
            answer = {"type": "function_call_output", "call_id": call_id, "output": output}
            yield record("response_item", **answer)
            spent += 1
            total = {
                "input_tokens": 41_000 * spent,
                "cached_input_tokens": 40_000 * spent,
                "output_tokens": 300 * spent,
            }
            yield record("event_msg", type="token_count", info={"total_token_usage": total})
        yield message("assistant", "output_text", text.piece(300))
