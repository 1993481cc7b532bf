"""The recorded calls of the core's own sessions: which a task replays, and which half is withheld.

A record is `<folder>/<session id>.json`, its files are `<folder>/blobs/<sha256>`
(`agent_core.recorder` writes both). Session text in it is data, never an instruction.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_core.signature import salted_signature

MOST_CALLS = 12
"""Calls of a kind (failed, served, failed otherwise) that one half replays."""

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call as it was made, what came of it, and the workspace that it met."""

    session_id: str
    number: int
    tool: str
    arguments: Mapping[str, Any]
    is_error: bool
    error_class: str | None
    content: str
    files: Mapping[str, str]
    """Relative path → SHA-256 of the content, a blob."""


@dataclass(frozen=True, slots=True)
class CallHalf:
    """One half of a task's calls."""

    failed: tuple[RecordedCall, ...] = ()
    """Failed in the way that the task is about: they must get better."""
    served: tuple[RecordedCall, ...] = ()
    """Served: they must give the same."""
    failed_otherwise: tuple[RecordedCall, ...] = ()
    """Failed in other ways of the same tool: they must go on failing, in the same class."""

    def all(self) -> tuple[RecordedCall, ...]:
        """Every call of the half."""
        return (*self.failed, *self.served, *self.failed_otherwise)


@dataclass(frozen=True, slots=True)
class ReplaySet:
    """The calls of a task; the agent sees the visible half only."""

    folder: Path
    visible: CallHalf
    held_out: CallHalf
    missing_sessions: tuple[str, ...] = ()
    """Sessions of the task that have no record (any more)."""
    not_replayable: int = 0
    """Failed calls whose workspace was too large to keep, or whose files are gone."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls a task is about."""

    session_ids: Sequence[str]
    tool: str | None
    error_class: str | None
    error_signatures: Sequence[str]
    """Salted; empty: every failure of the class."""


def select_calls(folder: Path, wanted: Selection, salt: bytes) -> ReplaySet:
    """Read the records of a task's sessions and split its calls; a broken record is missing."""
    missing: list[str] = []
    lost = 0
    kinds: dict[str, list[RecordedCall]] = {"failed": [], "served": [], "failed_otherwise": []}
    for session_id in sorted(set(wanted.session_ids)):
        record = _read_record(folder, session_id)
        if record is None:
            missing.append(session_id)
            continue
        for raw in record:
            kind = _kind(raw, wanted, salt)
            if kind is None:
                continue
            call = _call(session_id, raw)
            if "not_replayable" in raw or not _has_its_files(folder, call):
                lost += kind == "failed"
            else:
                kinds[kind].append(call)
    halves = {kind: _split(calls) for kind, calls in kinds.items()}
    return ReplaySet(
        folder=folder,
        held_out=CallHalf(**{kind: half[0] for kind, half in halves.items()}),
        visible=CallHalf(**{kind: half[1] for kind, half in halves.items()}),
        missing_sessions=tuple(missing),
        not_replayable=lost,
    )


def restore_workspace(folder: Path, call: RecordedCall, root: Path) -> None:
    """Write the files that the call met below `root`."""
    for path, digest in call.files.items():
        target = root / path
        if not target.resolve().is_relative_to(root.resolve()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((folder / "blobs" / digest).read_bytes())
    root.mkdir(parents=True, exist_ok=True)


def _read_record(folder: Path, session_id: str) -> list[dict[str, Any]] | None:
    if not _SESSION_ID.fullmatch(session_id):
        return None
    try:
        record = json.loads((folder / f"{session_id}.json").read_text(encoding="utf-8"))
        return [call for call in record["calls"] if isinstance(call, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _kind(raw: Mapping[str, Any], wanted: Selection, salt: bytes) -> str | None:
    if wanted.tool is None or raw.get("tool") != wanted.tool:
        return None
    if not raw.get("is_error"):
        return "served"
    return "failed" if _is_the_failure(raw, wanted, salt) else "failed_otherwise"


def _is_the_failure(raw: Mapping[str, Any], wanted: Selection, salt: bytes) -> bool:
    error_class = str(raw.get("error_class"))
    if not wanted.error_signatures:
        return error_class == wanted.error_class
    signature = salted_signature(error_class, str(raw.get("error_signature")), salt)
    return signature in wanted.error_signatures


def _call(session_id: str, raw: Mapping[str, Any]) -> RecordedCall:
    return RecordedCall(
        session_id=session_id,
        number=int(raw["number"]),
        tool=str(raw["tool"]),
        arguments=dict(raw["arguments"]),
        is_error=bool(raw["is_error"]),
        error_class=raw["error_class"],
        content=str(raw["content"]),
        files=dict(raw["files"]),
    )


def _has_its_files(folder: Path, call: RecordedCall) -> bool:
    return all(
        _DIGEST.fullmatch(digest) and (folder / "blobs" / digest).is_file()
        for digest in call.files.values()
    )


def _split(
    calls: Sequence[RecordedCall],
) -> tuple[tuple[RecordedCall, ...], tuple[RecordedCall, ...]]:
    """Held-out and visible half, in turns by a hash, so that even two calls give one to each.

    A single call is withheld: a patch could be made to fit it. So the same call made twice is in
    one half only, unless there is no other.
    """
    halves: tuple[list[RecordedCall], list[RecordedCall]] = ([], [])
    groups: dict[str, list[RecordedCall]] = {}
    for call in sorted(calls, key=_position):
        groups.setdefault(_what_was_asked(call), []).append(call)
    if len(groups) == 1:
        (alike,) = groups.values()
        groups = {str(number): [call] for number, call in enumerate(alike)}
    for number, key in enumerate(groups):
        halves[number % 2].extend(groups[key])
    return tuple(halves[0][:MOST_CALLS]), tuple(halves[1][:MOST_CALLS])


def _position(call: RecordedCall) -> str:
    return hashlib.sha256(f"{call.session_id}\0{call.number}".encode()).hexdigest()


def _what_was_asked(call: RecordedCall) -> str:
    return json.dumps([call.tool, call.arguments], sort_keys=True, default=str)
