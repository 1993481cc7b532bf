"""Files that only their owner may read, and that are whole or absent."""

import json
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path, document: dict[str, Any]) -> None:
    """Writes JSON so that readers see the old or the new file whole."""
    # Lone surrogates, which a model's or a command's text may hold, cannot be written.
    text = json.dumps(document, ensure_ascii=False, indent=1)
    write_private(path, f"{text}\n".encode("utf-8", "replace"))


def write_private(path: Path, content: bytes) -> None:
    """Writes a file of mode 0600 by way of a temporary one beside it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
