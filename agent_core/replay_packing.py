"""A session's record and its blobs in one document, for records that are shipped."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from agent_core.errors import DataError
from agent_core.private_files import write_atomically, write_private


def pack_record(folder: Path, session_id: str) -> dict[str, Any]:
    """The record with `blobs`: SHA-256 → `{"text": …}` or `{"base64": …}`."""
    record: dict[str, Any] = json.loads((folder / f"{session_id}.json").read_text("utf-8"))
    digests = {digest for call in record["calls"] for digest in call["files"].values()}
    contents = {digest: (folder / "blobs" / digest).read_bytes() for digest in sorted(digests)}
    return record | {"blobs": {digest: _packed(content) for digest, content in contents.items()}}


def unpack_record(document: Path, folder: Path) -> str:
    """Registers a packed record in a replay folder and gives its session id.

    Raises DataError when a blob is not what its hash says, before anything is written.
    """
    record: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    blobs = {digest: _content(blob) for digest, blob in record.pop("blobs").items()}
    wrong = [d for d, content in blobs.items() if hashlib.sha256(content).hexdigest() != d]
    if wrong:
        raise DataError(f"{document.name}: blob {wrong[0][:12]} does not match its hash")
    for digest, content in blobs.items():
        write_private(folder / "blobs" / digest, content)
    write_atomically(folder / f"{record['session_id']}.json", record)
    return str(record["session_id"])


def _packed(content: bytes) -> dict[str, str]:
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _content(blob: dict[str, str]) -> bytes:
    return blob["text"].encode() if "text" in blob else base64.b64decode(blob["base64"])
