"""Records the raw calls of a session and the files they saw, so that a gate can replay them.

`<folder>/<session id>.json` (mode 0600) refers to `<folder>/blobs/<sha256>`, one blob a content.
Only the bundled core records; foreign logs have no record and are never replayed.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_core.private_files import write_atomically, write_private
from agent_core.session import Observation, ToolCall
from agent_core.toolkit import Workspace

MAX_FILE_BYTES = 1_000_000
MAX_WORKSPACE_BYTES = 20_000_000
MAX_FILES = 2000


class TooLargeError(Exception):
    """A workspace cannot be kept; the text says why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A workspace before a call: relative path → SHA-256 of its content."""

    files: dict[str, str]


class Recorder:
    """Wraps the execution of calls; the record is whole after each of them."""

    def __init__(self, folder: Path, session_id: str, workspace: Workspace) -> None:
        self._folder = folder
        self._workspace = workspace
        self._path = folder / f"{session_id}.json"
        self._record: dict[str, Any] = {"session_id": session_id, "calls": []}

    def recorded(self, call: ToolCall, execute: Callable[[ToolCall], Observation]) -> Observation:
        """Executes a call with the workspace as it was before kept beside the outcome."""
        try:
            before: dict[str, Any] = {"files": self._snapshot().files}
        except TooLargeError as error:
            before = {"files": {}, "not_replayable": str(error)}
        observation = execute(call)
        self._record["calls"].append(
            {
                "number": len(self._record["calls"]) + 1,
                "tool": call.name,
                "arguments": dict(call.arguments),
                "is_error": observation.is_error,
                "error_class": observation.error_class,
                "error_signature": observation.error_signature,
                "content": observation.content,
            }
            | before
        )
        write_atomically(self._path, self._record)
        return observation

    def _snapshot(self) -> Snapshot:
        sizes: dict[str, int] = {}
        for name in self._workspace.files():
            sizes[name] = (self._workspace.root / name).stat().st_size
            if len(sizes) > MAX_FILES:
                raise TooLargeError(f"the workspace has more than {MAX_FILES} files")
        _check(sizes)
        return Snapshot({name: self._keep(name) for name in sizes})

    def _keep(self, name: str) -> str:
        content = (self._workspace.root / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        blob = self._folder / "blobs" / digest
        if not blob.exists():
            write_private(blob, content)
        return digest


def _check(sizes: dict[str, int]) -> None:
    largest = max(sizes, key=lambda name: sizes[name], default=None)
    if largest is not None and sizes[largest] > MAX_FILE_BYTES:
        raise TooLargeError(f"{largest} is larger than {MAX_FILE_BYTES} bytes")
    if sum(sizes.values()) > MAX_WORKSPACE_BYTES:
        raise TooLargeError(f"the workspace is larger than {MAX_WORKSPACE_BYTES} bytes")
