"""The `signals` command in its own process, and which of its calls failed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.canaries.searching import searchable


class Command:
    """Counts its `calls`; those that did not end well are in `failed`, in words."""

    def __init__(self) -> None:
        self.calls = 0
        self.failed: list[str] = []

    def done(self, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a verb on the home, to its end."""
        words = [sys.executable, "-m", "pipelines", "--home", str(home), *arguments]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.calls += 1
        if done.returncode:
            said = f"{home.name}: {_verb(arguments)}: exit {done.returncode}"
            self.failed.append(said)
            print(f"{said}\n{done.stderr[-500:]}", file=sys.stderr)
        return done

    def printed(self, home: Path, *arguments: str) -> Iterator[tuple[str, str]]:
        """(place, text) of what a verb prints."""
        done = self.done(home, *arguments)
        yield f"stdout of {_verb(arguments)}", searchable(done.stdout)
        yield f"stderr of {_verb(arguments)}", searchable(done.stderr)


def _verb(arguments: tuple[str, ...]) -> str:
    return " ".join(word for word in arguments if "/" not in word)
