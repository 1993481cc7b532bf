"""The folder that the tools may touch, and nothing beside it."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from agent_core.toolkit.errors import ToolError

HIDDEN_FOLDERS = frozenset({".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})


class Workspace:
    """Paths below `root`; symbolic links are followed before the check, so none leads out."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def resolve(self, path: str) -> Path:
        """The absolute path; ToolError permission when it lies outside or in a hidden folder."""
        if "\0" in path:
            raise ToolError("invalid_arguments", problem="a path holds a null byte", arguments="")
        resolved = (self.root / path).resolve()
        if not resolved.is_relative_to(self.root):
            raise ToolError("permission", path=path)
        if HIDDEN_FOLDERS.intersection(resolved.relative_to(self.root).parts):
            raise ToolError("permission", path=path)
        return resolved

    def existing(self, path: str) -> Path:
        """Like `resolve`; ToolError not_found with the names nearest to it."""
        resolved = self.resolve(path)
        if not resolved.exists():
            raise ToolError("not_found", path=path, similar=self.similar(path))
        return resolved

    def read_text(self, path: str, max_bytes: float) -> str:
        """A text file's content, line ends untouched; ToolError for what is none."""
        file = self.existing(path)
        if not file.is_file():
            raise ToolError("invalid_arguments", problem=f"{path} is no file", arguments="path")
        if file.stat().st_size > max_bytes:
            raise ToolError("output_limit", path=path, bytes=file.stat().st_size)
        try:
            return file.read_bytes().decode()
        except UnicodeDecodeError:
            problem = f"{path} is no text file (UTF-8)"
            raise ToolError("invalid_arguments", problem=problem, arguments="path") from None

    def write_text(self, path: str, text: str) -> None:
        """Writes a file below the root, with the folders that it needs."""
        file = self.resolve(path)
        if file.is_dir():
            raise ToolError("invalid_arguments", problem=f"{path} is a folder", arguments="path")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def files(self, below: str = ".") -> Iterator[str]:
        """Relative paths of the regular files, sorted; hidden folders and links are left out."""
        start = self.resolve(below)
        for folder, subfolders, names in os.walk(start):
            subfolders[:] = sorted(set(subfolders) - HIDDEN_FOLDERS)
            for name in sorted(names):
                file = Path(folder, name)
                if file.is_file() and not file.is_symlink():
                    yield file.relative_to(self.root).as_posix()

    def similar(self, path: str) -> str:
        """Files whose path or name is nearest to a path that does not exist."""
        files = list(self.files())
        same_name = [file for file in files if Path(file).name == Path(path).name]
        near = same_name or difflib.get_close_matches(path, files, n=3, cutoff=0.5)
        return ", ".join(near[:3]) or "none; list_files shows what is there"

    def relative(self, text: str) -> str:
        """Text of a command with the workspace's own place taken out of its paths."""
        return text.replace(f"{self.root}/", "").replace(str(self.root), ".")
