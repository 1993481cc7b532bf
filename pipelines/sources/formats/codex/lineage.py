"""Which Codex records are copies: forks replay their parent's history with new timestamps.

A copy is known by what the fork leaves alone. Records are cut into blocks, about one a turn; a
block that holds an id which no two sessions share (of a call, an item, a turn) is named by it,
any other by the session at the root of the declared lineage and all that was said before. So two
sessions that merely start alike have nothing in common.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from agent_core.session import Step
from pipelines.sources.fields import id_of, mapping_of, text_of

_OPENERS = frozenset(("session_meta", "turn_context", "world_state", "task_started"))
_ID_KEYS = ("call_id", "id", "turn_id")
_UNIQUE_ID = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w-]{16,}")


@dataclass
class _Block:
    """Records of about one turn; `name` is the best unique id, 0 the best rank."""

    name: str = ""
    rank: int = len(_ID_KEYS)
    is_open: bool = True
    """Nothing but what precedes a turn has been seen."""


class Lineage:
    """Follows the records of one rollout and names each step by its content."""

    def __init__(self) -> None:
        self._blocks = [_Block()]
        self._block_of_step: list[int] = []
        self._session_ids: list[str] = []
        self._forked_from = ""

    def take(self, kind: str, body: Mapping[str, Any]) -> None:
        """Note one record; call it before `note_step` for the step made from it."""
        if kind == "session_meta":
            self._note_session(body)
        opens = kind in _OPENERS or text_of(body, "type") in _OPENERS or _is_users(body)
        if opens and not self._blocks[-1].is_open:
            self._blocks.append(_Block())
        block = self._blocks[-1]
        block.is_open = block.is_open and opens
        if kind != "session_meta":
            _name(block, body)

    def note_step(self) -> None:
        """The record just taken made a step."""
        self._block_of_step.append(len(self._blocks) - 1)

    def parent_id(self, meta: Mapping[str, Any]) -> str | None:
        """The session that this one was forked or spawned from, where the log says so."""
        spawn = mapping_of(mapping_of(mapping_of(meta, "source"), "subagent"), "thread_spawn")
        spawned_from = id_of(spawn, "parent_thread_id") or id_of(meta, "parent_thread_id")
        replayed = self._session_ids[1:2]
        return self._forked_from or spawned_from or next(iter(replayed), None)

    def content_ids(self, steps: Sequence[Step]) -> list[str | None]:
        """For each step what its copies share; all None where the session has no id at all."""
        # The replayed history begins with the parent's own beginning, and so on to the root.
        root = self._session_ids[-1] if len(self._session_ids) > 1 else self._forked_from
        root = root or next(iter(self._session_ids), "")
        said = root
        names: dict[int, str] = {}
        seen: Counter[str] = Counter()
        ids: list[str | None] = []
        for step, number in zip(steps, self._block_of_step, strict=True):
            name = names.setdefault(number, self._blocks[number].name or said)
            digest = _digest(name, _content(step))
            seen[digest] += 1
            ids.append(_digest(digest, str(seen[digest])) if name else None)
            if step.source != "system" and said:
                said = _digest(said, step.text)
        return ids

    def _note_session(self, meta: Mapping[str, Any]) -> None:
        session_id = id_of(meta, "id", "session_id")
        if not self._session_ids:
            self._forked_from = id_of(meta, "forked_from_id", "forked_from")
        if session_id and session_id not in self._session_ids:
            self._session_ids.append(session_id)


def _is_users(body: Mapping[str, Any]) -> bool:
    return body.get("type") == "user_message" or body.get("role") in ("user", "developer")


def _name(block: _Block, body: Mapping[str, Any]) -> None:
    for rank, key in enumerate(_ID_KEYS[: block.rank]):
        value = body.get(key)
        if isinstance(value, str) and _UNIQUE_ID.fullmatch(value):
            block.name, block.rank = value, rank
            return


def _content(step: Step) -> str:
    calls = [(call.call_id, call.name, call.arguments) for call in step.tool_calls]
    results = [(seen.call_id, seen.content) for seen in step.observations]
    parts = (step.source, step.event, step.text, step.reasoning, calls, results)
    return orjson.dumps(parts, default=dict).decode()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
