"""Stay with some paths and say which files below them came or grew.

Watching is the library's (`watchfiles`): it tells of changes soon, but not surely. It says nothing
when the kernel's queue of events overflows, of what happens behind links, and on network disks.
So listings decide what has changed, and all of them are looked at again from time to time.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from watchfiles import watch
from watchfiles.main import FileChange

from agent_core.errors import BadInputError, LockHeldError
from pipelines.listing import Listing

Read = Callable[[Sequence[Path]], None]
"""One pass over the paths. LockHeldError where the home was in use for too long."""
Tell = Callable[[str], None]
"""Say one line to the person who looks on."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done, in seconds."""

    tick: float = 1.0
    """Changes are gathered for so long once they begin, and missing paths looked for."""
    rest: float = 5.0
    """Between two passes at least."""
    share: float = 4.0
    """Between two passes at least, as a multiple of what the last one took."""
    retry: float = 30.0
    """Until the next try when the home was in use."""
    check: float = 60.0
    """Between two looks at everything at least; 50 times of what the last one took at least."""


def follow(
    paths: Sequence[Path],
    read: Read,
    tell: Tell,
    stop: Event,
    *,
    ignored: Sequence[Path] = (),
    pace: Pace = Pace(),
) -> None:
    """Read `paths`, and from then on what changes below them, until `stop` is set.

    What lies below `ignored` is passed over, unless one of the paths does itself.
    """
    waiting: set[Path] = set()
    not_before = time.monotonic()
    for changed in changes(paths, tell, stop, ignored=ignored, pace=pace):
        waiting |= changed
        if not waiting or time.monotonic() < not_before:
            continue
        started = time.monotonic()
        try:
            read(sorted(filter(_is_there, waiting)))
        except LockHeldError as error:
            tell(f"{error}; tried again in {pace.retry:.0f} s")
            not_before = time.monotonic() + pace.retry
            continue
        except BadInputError:  # one of them went away since it was looked for
            continue
        waiting.clear()
        ended = time.monotonic()
        not_before = ended + max(pace.rest, pace.share * (ended - started))


def changes(
    paths: Sequence[Path],
    tell: Tell,
    stop: Event,
    *,
    ignored: Sequence[Path] = (),
    pace: Pace = Pace(),
) -> Iterator[set[Path]]:
    """Yield first the paths themselves, then what is new below them: nothing in a quiet tick.

    A path that comes, goes or is replaced is told in one line.
    """
    watched = _Watched(tuple(path.absolute() for path in paths), tell, stop, ignored, pace)
    yield watched.begin()
    while not stop.is_set():
        yield from watched.until_replaced()
        if stop.is_set():
            return
        watched.look_for_paths()


@dataclass
class _Watched:
    paths: tuple[Path, ...]
    tell: Tell
    stop: Event
    ignored: Sequence[Path]
    pace: Pace
    listing: Listing = field(default_factory=Listing)
    states: dict[Path, "_State"] = field(default_factory=dict)
    polls: bool = False
    next_check: float = 0.0

    def begin(self) -> set[Path]:
        """The paths that are there, which are to be read whole: what they hold counts as seen."""
        for path in self.paths:
            self.states[path] = _state(path)
            if self.states[path] is None:
                self.tell(f"{path}: not there yet; waiting for it")
        present = {path for path in self.paths if self.states[path]}
        self.listing.changed(present)
        return present

    def look_for_paths(self) -> None:
        """Say which paths came, went or were replaced."""
        for path in self.paths:
            before, self.states[path] = self.states[path], _state(path)
            if line := _transition(before, self.states[path]):
                self.tell(f"{path}: {line}")

    def until_replaced(self) -> Iterator[set[Path]]:
        """Changes below the paths, until one of these comes, goes or is replaced."""
        self.next_check = 0.0  # what happened before the library began to watch
        for events in self._events([path for path in self.paths if self.states[path]]):
            yield self._among(events)
            if time.monotonic() > self.next_check:
                yield self.check()
            if self.states != {path: _state(path) for path in self.paths}:
                return

    def check(self) -> set[Path]:
        """Look at everything; what has changed since it was looked at."""
        started = time.monotonic()
        changed = self._among(self.paths)
        ended = time.monotonic()
        self.next_check = ended + max(self.pace.check, 50 * (ended - started))
        return changed

    def _among(self, paths: Iterable[Path]) -> set[Path]:
        return {path for path in self.listing.changed(paths) if not self._is_ignored(path)}

    def _is_ignored(self, path: Path) -> bool:
        return any(
            path.is_relative_to(folder)
            and not any(
                wanted.is_relative_to(folder) and path.is_relative_to(wanted)
                for wanted in self.paths
            )
            for folder in self.ignored
        )

    def _events(self, present: Sequence[Path]) -> Iterator[set[Path]]:
        if not present:
            while not self.stop.wait(self.pace.tick):
                yield set()
            return
        try:
            for found in self._watch(present):
                yield {Path(name) for _, name in found}
        except FileNotFoundError:  # gone before it could be watched
            return
        except (OSError, RuntimeError) as error:
            if self.polls:
                raise
            self.polls = True
            self.tell(f"changes cannot be watched ({error}); looking now and then instead")

    def _watch(self, present: Sequence[Path]) -> Iterator[set[FileChange]]:
        tick = round(self.pace.tick * 1000)
        return watch(
            *present,
            watch_filter=None,
            step=tick,
            debounce=2 * tick,
            rust_timeout=tick,
            yield_on_timeout=True,
            stop_event=self.stop,
            force_polling=self.polls or None,
            poll_delay_ms=5 * tick,
            ignore_permission_denied=True,
        )


_State = tuple[bool, int, int] | None
"""Whether a path is a folder, its device and inode; None where nothing is there."""


def _state(path: Path) -> _State:
    try:
        status = path.stat()
        return path.is_dir(), status.st_dev, status.st_ino
    except OSError:
        return None


def _transition(before: _State, after: _State) -> str | None:
    if before == after:
        return None
    if after is None:
        return "gone; waiting for it, what was read of it stays"
    if before is None:
        return "there now" if after[0] else "there now, as a file"
    if before[0] != after[0]:
        return "a folder now, no file" if after[0] else "a file now, no folder"
    # Programs write a file anew under another name and put it in place: nothing to tell.
    return "replaced by another folder" if after[0] else None


def _is_there(path: Path) -> bool:
    return _state(path) is not None
