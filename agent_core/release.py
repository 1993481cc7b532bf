"""The release of the agent: package version and a hash of what a patch may change."""

import hashlib
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

AGENT_NAME = "signals-core"
"""What the bundled agent calls itself in its session logs."""

PATCHABLE = ("agent_core/prompts", "agent_core/tools", "agent_core/playbooks")
_REPOSITORY = Path(__file__).parent.parent
_HASH_CHARS = 12


def current_release(repository: Path = _REPOSITORY) -> str:
    """`<version>+<12 hex>` of a checkout, for example `0.1.0+3f2a9c01b7de`."""
    return f"{package_version(repository)}+{tree_hash(repository, PATCHABLE)}"


def tree_hash(repository: Path, folders: tuple[str, ...]) -> str:
    """SHA-256 over the sorted relative paths and contents of the files, cut to 12 hex digits."""
    digest = hashlib.sha256()
    for path in sorted(_files(repository, folders)):
        digest.update(path.encode() + b"\0" + (repository / path).read_bytes() + b"\0")
    return digest.hexdigest()[:_HASH_CHARS]


def package_version(repository: Path = _REPOSITORY) -> str:
    """The version that a checkout states, else the installed one, else `0`."""
    pyproject = repository / "pyproject.toml"
    if pyproject.is_file():
        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])
    try:
        return version("signals")
    except PackageNotFoundError:
        return "0"


def _files(repository: Path, folders: tuple[str, ...]) -> Iterator[str]:
    for folder in folders:
        for file in (repository / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(repository).as_posix()
