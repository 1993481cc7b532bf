"""Conversations that are a folder of files, one for each event: who reads them, in what order.

`<conversation>/events/0.json` with pages of them in `<conversation>/event_cache/0-25.json` (V0),
`<conversation>/events/event-00000-<id>.json` beside `<conversation>/base_state.json` (V1), and
`<conversation>/<id>.json` where both are UUIDs (V1's server).
"""

import re
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.sources.fields import text_of
from pipelines.sources.file_bytes import UnreadableError
from pipelines.sources.formats.openhands.shapes import is_event, is_event_list
from pipelines.sources.log_file import LogFile

STATE_NAME = "base_state.json"
_EVENTS, _PAGES = "events", "event_cache"
_PACKED = r"\.json(?:\.gz|\.zst)?"
_NUMBERED = re.compile(rf"(?:(\d{{1,15}})|event-(\d{{5,15}})-[0-9A-Za-z-]+){_PACKED}")
_PAGE = re.compile(rf"(\d{{1,15}})-\d{{1,15}}{_PACKED}")
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_GRAIN_NS = 2_000_000_000
"""A folder may change again within the grain of its time: a younger listing is not kept."""


def conversation_folder(path: Path) -> Path | None:
    """The folder whose name is the conversation's id; None for a file that stands alone."""
    parent = path.parent
    if path.name == STATE_NAME:
        return parent
    if parent.name == _PAGES:
        return parent.parent if _PAGE.fullmatch(path.name) else None
    if _place(path) is None:
        return None
    return parent.parent if parent.name == _EVENTS else parent


def leader_of(conversation: Path) -> Path | None:
    """The file that is read for all of the conversation: its first that holds an event."""
    return next((path for path in _members(conversation) if _holds_events(path)), None)


def events_of(conversation: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event with the name of its file, in order; files that cannot be read are left out."""
    leader = leader_of(conversation)
    members = _members(conversation)
    if leader is not None and leader.parent.name != _PAGES:
        # The pages repeat what the events' own files say.
        members = tuple(path for path in members if path.parent.name != _PAGES)
    events = _events_in(members)
    if leader is None or not _is_named_by_id(leader):
        return events
    return iter(sorted(events, key=lambda event: text_of(event[1], "timestamp")))


def _events_in(files: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in files:
        value = _value(path)
        if is_event(value):
            yield path.name, value
        elif path.parent.name == _PAGES and is_event_list(value):
            for index, event in enumerate(value):
                if isinstance(event, dict):
                    yield f"{path.name}#/{index}", event


def state_of(conversation: Path) -> Any:
    """The state that lies beside the events; None where there is none."""
    path = conversation / STATE_NAME
    return _value(path) if path.is_file() else None


def _members(conversation: Path) -> tuple[Path, ...]:
    """The files named like those of events, then those of pages, in natural order."""
    folders = (conversation / _EVENTS, conversation, conversation / _PAGES)
    return tuple(path for folder in folders for path in _listed(folder))


def _listed(folder: Path) -> tuple[Path, ...]:
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return ()
    if time.time_ns() - changed < _GRAIN_NS:
        return _listing(folder)
    return _kept_listing(folder, changed)


@lru_cache(maxsize=64)
def _kept_listing(folder: Path, changed: int) -> tuple[Path, ...]:
    return _listing(folder)


def _listing(folder: Path) -> tuple[Path, ...]:
    try:
        paths = list(folder.iterdir())
    except OSError:
        return ()
    placed = [(place, path) for path in paths if (place := _place(path)) is not None]
    return tuple(path for _, path in sorted(placed))


def _place(path: Path) -> tuple[int, str] | None:
    """Where a file stands among its siblings by its name; None where the name is no event's."""
    if path.parent.name == _PAGES:
        match = _PAGE.fullmatch(path.name)
        return (int(match.group(1)), path.name) if match else None
    if match := _NUMBERED.fullmatch(path.name):
        return int(match.group(1) or match.group(2)), path.name
    return (0, path.name) if _is_named_by_id(path) else None


def _is_named_by_id(path: Path) -> bool:
    folder, stem = path.parent.name, path.name.partition(".")[0]
    return bool(_UUID.fullmatch(stem)) and (folder == _EVENTS or bool(_UUID.fullmatch(folder)))


def _holds_events(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return _known_to_hold_events(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=1024)
def _known_to_hold_events(path: Path, *_stamp: int) -> bool:
    value = _value(path)
    return is_event_list(value) if path.parent.name == _PAGES else is_event(value)


def _value(path: Path) -> Any:
    try:
        return LogFile(path).document
    except UnreadableError:
        return None
