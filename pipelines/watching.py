"""Follow running sessions in their logs and say when friction is building in one.

The warehouse is never opened. Of a session its last turns are kept, of a log its end is read.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event

from agent_core.session import Session, Step
from judges.live import Alarm, LiveJudge
from pipelines.follow import Pace, Tell, changes
from pipelines.live_tail import Excerpt, Tail, TooLargeError
from pipelines.sources import UnreadableError, failure_place, list_files
from pipelines.stages.exclusion import is_excluded

MAX_LOGS = 64
"""So many logs are followed at once; the one that was quiet longest makes room."""
REST_SECONDS = 0.5
"""The agent's last word was its last when nothing came after it for so long."""
WATCH_PACE = Pace(tick=0.1)


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm and the session that it is about."""

    session: Session
    alarm: Alarm


@dataclass(frozen=True, slots=True)
class Watching:
    """What is watched, and how."""

    paths: Sequence[Path]
    salt: bytes
    since: datetime
    """Alarms of steps before it are not told; logs that were quiet since are not opened."""
    excluded: Sequence[str] = ()
    """Patterns of projects that are kept out."""
    ignored: Sequence[Path] = ()
    pace: Pace = WATCH_PACE


def watch(watching: Watching, say: Callable[[Told], None], tell: Tell, stop: Event) -> None:
    """Say every alarm below the paths until `stop` is set; `tell` is for what cannot be read."""
    logs = _Logs(watching, tell)
    first = True
    for changed in changes(
        watching.paths, tell, stop, ignored=watching.ignored, pace=watching.pace
    ):
        files = _recent(changed, watching.since) if first else sorted(changed)
        first = False
        for told in [*logs.grown(files), *logs.rested()]:
            say(told)


def _recent(paths: Iterable[Path], since: datetime) -> list[Path]:
    listed = list_files(sorted(paths))
    return [Path(one.path) for one in listed if one.mtime_ns / 1e9 >= since.timestamp()]


class _Logs:
    """The logs that are followed."""

    def __init__(self, watching: Watching, tell: Tell) -> None:
        self._watching, self._tell = watching, tell
        self._logs: OrderedDict[Path, FollowedLog | None] = OrderedDict()

    def grown(self, paths: Iterable[Path]) -> Iterator[Told]:
        """Read what was written to."""
        for path in paths:
            log = self._logs.pop(path, None) if path in self._logs else self._new(path)
            self._logs[path] = log
            while len(self._logs) > MAX_LOGS:
                self._logs.popitem(last=False)
            if log is not None:
                yield from self._guarded(path, log.grown(time.monotonic()))

    def rested(self) -> Iterator[Told]:
        """Look at those in which the agent has become quiet."""
        for path, log in self._logs.items():
            if log is not None:
                yield from self._guarded(path, log.rested(time.monotonic()))

    def _new(self, path: Path) -> "FollowedLog | None":
        watching = self._watching
        return FollowedLog(path, watching.salt, watching.since, watching.excluded)

    def _guarded(self, path: Path, told: Iterable[Told]) -> list[Told]:
        """What is told of one log; nothing more of it once it cannot be followed."""
        try:
            return list(told)
        except TooLargeError as error:
            self._tell(f"{path}: {error}")
            self._logs[path] = None
        except (OSError, UnreadableError):  # gone, or not to be read now
            pass
        except Exception as error:  # noqa: BLE001 - the edge of one log: the others go on
            self._tell(f"{path}: cannot be followed ({failure_place(error)})")
            self._logs[path] = None
        return []


@dataclass
class FollowedLog:
    """One log with a judge for each of its sessions."""

    path: Path
    salt: bytes
    since: datetime
    excluded: Sequence[str] = ()
    _judges: dict[str, "_Followed"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tail = Tail(self.path)

    def grown(self, now: float) -> Iterator[Told]:
        """Read the end of the log; `now` in seconds of the monotonic clock."""
        excerpt = self._tail.read()
        present = [one for one in excerpt.sessions if not is_excluded(one, self.excluded)]
        self._judges = {one.key: self._judge(one, excerpt) for one in present}
        for session in present:
            for alarm in self._judges[session.key].read(session, now):
                if alarm.at is not None and alarm.at >= self.since:
                    yield Told(session, alarm)

    def rested(self, now: float) -> Iterator[Told]:
        """What shows once the agent was quiet for a while."""
        for followed in self._judges.values():
            for alarm in followed.rested(now):
                if alarm.at is not None and alarm.at >= self.since:
                    yield Told(followed.session, alarm)

    def _judge(self, session: Session, excerpt: Excerpt) -> "_Followed":
        known = self._judges.get(session.key)
        return known or _Followed(session, LiveJudge(self.salt, begins=excerpt.begins))


@dataclass
class _Followed:
    session: Session
    judge: LiveJudge
    _seen: "_Seen | None" = None
    """What the last excerpt held; None before the first."""
    _waits: tuple[Step, float] | None = None
    """The agent's last word, and when it was read."""

    def read(self, session: Session, now: float) -> Iterator[Alarm]:
        self.session = Session(
            session.key, session.format, session.session_id, session.source_path, ()
        )
        before, self._seen = self._seen, _Seen.of(session.steps)
        known = -1 if before is None else before.last_known(session.steps)
        for position, step in enumerate(session.steps):
            if position > known:
                yield from self.judge.observe(step)
            elif before is not None and before.has_grown(step):
                yield from self.judge.revise(step)
        self._note_last_word(session.steps, before, now)

    def rested(self, now: float) -> Iterator[Alarm]:
        if self._waits is not None and now - self._waits[1] >= REST_SECONDS:
            step, self._waits = self._waits[0], None
            yield from self.judge.rest(step)

    def _note_last_word(self, steps: Sequence[Step], before: "_Seen | None", now: float) -> None:
        if before == self._seen:  # records that are no part of the conversation
            return
        last = steps[-1] if steps else None
        is_word = last is not None and last.source == "agent" and not last.tool_calls
        self._waits = (last, now) if last is not None and is_word and last.text else None


_Result = tuple[str | None, str | None]
"""The call and the record of what came back from it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an excerpt held, by names alone.

    As the end of a log moves on, calls are cut off before their results, which then stand alone
    and are no news, and a record may be taken for another kind of step when its twin is cut off.
    Only what comes after all that was there before is new.
    """

    chars: Mapping[str, int]
    """Of each step: how long its text was."""
    results: frozenset[_Result]

    @staticmethod
    def of(steps: Sequence[Step]) -> "_Seen":
        results = frozenset(one for step in steps for one in _results(step))
        return _Seen({step.source_ref: len(step.text) for step in steps}, results)

    def last_known(self, steps: Sequence[Step]) -> int:
        """The position of the last step of which anything was there; -1 without one."""
        known = (i for i, step in enumerate(steps) if self._is_known(step))
        return max(known, default=-1)

    def has_grown(self, step: Step) -> bool:
        """Whether a step that was there has more text or results than it had."""
        chars = self.chars.get(step.source_ref)
        is_same = chars is None or (chars == len(step.text) and self.results >= {*_results(step)})
        return not is_same

    def _is_known(self, step: Step) -> bool:
        return step.source_ref in self.chars or not self.results.isdisjoint(_results(step))


def _results(step: Step) -> list[_Result]:
    return [(one.call_id, one.source_ref) for one in step.observations]
