"""Which Codex records are copies: forks replay their parent's history with new timestamps.

A copy is known by what the fork leaves alone. Records are cut into blocks, about one a turn; a
block that holds an id which no two sessions share (of a call, an item, a turn, the model's sealed
thoughts) is named by it, any other by the named block before it, or the session at the root of the
declared lineage, and all that was said since. So two sessions that merely start alike have nothing
in common.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from pipelines.sources.fields import id_of, mapping_of
from pipelines.sources.formats.codex.pending import PendingStep

_OPENERS = frozenset(("session_meta", "turn_context", "world_state", "task_started"))
_USERS = frozenset(("user", "developer"))
_ID_KEYS = ("call_id", "id", "turn_id")
_UNIQUE_ID = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w-]{16,}")
_SEALED = "encrypted_content"
_SEALED_CHARS = 64
"""Shorter sealed thoughts are what a tool that hides secrets left of them."""


@dataclass(slots=True)
class _Block:
    """Records of about one turn; `name` is the best unique id, 0 the best rank."""

    name: str = ""
    rank: int = len(_ID_KEYS) + 1
    is_open: bool = True
    """Nothing but what precedes a turn has been seen."""


class Lineage:
    """Follows the records of one rollout and names each step by its content."""

    def __init__(self) -> None:
        self._blocks = [_Block()]
        self._block_of_step: list[int] = []
        self._session_ids: dict[str, None] = {}
        self._forked_from = ""

    def take(self, kind: str, body_kind: str, body: Mapping[str, Any]) -> None:
        """Note one record; call it before `note_step` for the step made from it."""
        if kind == "session_meta":
            self._note_session(body)
        block = self._blocks[-1]
        if kind in _OPENERS or body_kind in _OPENERS or _is_users(body_kind, body):
            if not block.is_open:
                block = _Block()
                self._blocks.append(block)
        else:
            block.is_open = False
        if block.rank and kind != "session_meta":
            _name(block, body)

    def note_step(self) -> None:
        """The record just taken made a step."""
        self._block_of_step.append(len(self._blocks) - 1)

    def parent_id(self, meta: Mapping[str, Any]) -> str | None:
        """The session that this one was forked or spawned from, where the log says so."""
        spawn = mapping_of(mapping_of(mapping_of(meta, "source"), "subagent"), "thread_spawn")
        spawned_from = id_of(spawn, "parent_thread_id") or id_of(meta, "parent_thread_id")
        replayed = next(islice(self._session_ids, 1, None), None)
        return self._forked_from or spawned_from or replayed

    def content_ids(self, steps: Sequence[PendingStep]) -> list[str | None]:
        """For each step what its copies share; all None where the session has no id at all."""
        # The replayed history begins with the parent's own beginning, and so on to the root.
        oldest = next(reversed(self._session_ids), "")
        root = oldest if len(self._session_ids) > 1 else self._forked_from
        root = root or oldest
        said = _Chain(root)
        ids: list[str | None] = []
        seen: dict[str, int] = {}
        current, name = -1, ""
        for step, number in zip(steps, self._block_of_step, strict=True):
            if number != current:
                current, own = number, self._blocks[number].name
                said = _Chain(own) if own else said
                name = own or (said.name() if said.is_rooted else "")
            content_id = _digest(name, step) if name else None
            if content_id:
                again = seen[content_id] = seen.get(content_id, 0) + 1
                content_id = f"{content_id}.{again}" if again > 1 else content_id
            ids.append(content_id)
            if step.source != "system":
                said.add(step.text)
        return ids

    def _note_session(self, meta: Mapping[str, Any]) -> None:
        session_id = id_of(meta, "id", "session_id")
        if not self._session_ids:
            self._forked_from = id_of(meta, "forked_from_id", "forked_from")
        if session_id:
            self._session_ids[session_id] = None


class _Chain:
    """All that was said since something that only copies share."""

    def __init__(self, root: str) -> None:
        self.is_rooted = bool(root)
        self._digest = hashlib.blake2b(root.encode("utf-8", "replace"), digest_size=16)

    def add(self, text: str) -> None:
        self._digest.update(b"\0" + text.encode("utf-8", "replace"))

    def name(self) -> str:
        return self._digest.hexdigest()


def _is_users(body_kind: str, body: Mapping[str, Any]) -> bool:
    role = body.get("role")
    return body_kind == "user_message" or (isinstance(role, str) and role in _USERS)


def _name(block: _Block, body: Mapping[str, Any]) -> None:
    for rank, key in enumerate(_ID_KEYS[: block.rank]):
        value = body.get(key)
        if isinstance(value, str) and _UNIQUE_ID.fullmatch(value):
            block.name, block.rank = value, rank
            return
    sealed = body.get(_SEALED) if block.rank > len(_ID_KEYS) else None
    if isinstance(sealed, str) and len(sealed) >= _SEALED_CHARS:
        told = hashlib.blake2b(sealed.encode("utf-8", "replace"), digest_size=16)
        block.name, block.rank = told.hexdigest(), len(_ID_KEYS)


def _digest(name: str, step: PendingStep) -> str:
    calls = [(call.call_id, call.name, call.arguments) for call in step.tool_calls]
    results = [(seen.call_id, seen.content) for seen in step.observations]
    parts = (name, step.source, step.event, step.text, step.reasoning, calls, results)
    told = orjson.dumps(parts, default=dict, option=orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(told, digest_size=16).hexdigest()
