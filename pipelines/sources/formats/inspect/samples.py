"""Where the samples of an Inspect log are: members of an archive, or parts of a JSON document.

Format: Inspect's `.eval` archives (of 2024 with `start.json`, since then with `header.json` and a
`_journal/`), their samples in one member or in chunks, and its `.json` logs.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from pipelines.sources.fields import id_of, mapping_of
from pipelines.sources.file_bytes import UnreadableError
from pipelines.sources.json_text import NotJsonError, decode
from pipelines.sources.log_file import LogFile
from pipelines.sources.reading import Quarantined

_HEADERS = ("header.json", "_journal/start.json", "start.json")
"""The first is written when a run has ended, the others when it begins."""
_SAMPLE = re.compile(r"samples/.+_epoch_\d+\.json")
_SHELL = re.compile(r"(samples/.+_epoch_\d+)/sample\.json")
_CHUNK = re.compile(r"(samples/.+)/(\d{1,18})\.json")
_SUMMARIES = re.compile(r"(?:_journal/)?summar(?:y|ies)(?:/\d+)?\.json")
_SHOWN_NAME = 200
_REF_LIMIT = 1_000_000


class Sample(NamedTuple):
    """One sample as it is logged."""

    value: dict[str, Any]
    place: str
    """Of the sample's object: what its pointers begin with."""


class Samples:
    """The samples of one log; what could not be read is known once they have been iterated."""

    def __init__(self, log: LogFile) -> None:
        self.quarantined: list[Quarantined] = []
        self._log = log
        self._names = dict.fromkeys(log.head.members)
        self._document = log.head.document
        self.header: Mapping[str, Any] = self._header()
        """What the log says of the whole evaluation."""

    @property
    def is_unfinished(self) -> bool:
        """Whether the evaluation had not ended when the log was written."""
        return bool(self._names) and _HEADERS[0] not in self._names

    def __iter__(self) -> Iterator[Sample]:
        if not self._names:
            yield from self._in_document()
            return
        for name in self._names:
            if shell := _SHELL.fullmatch(name):
                yield from self._chunked(shell[1])
            elif _SAMPLE.fullmatch(name):
                value = self._member(name)
                if is_sample(value):
                    yield Sample(value, f"{name}#")
                elif value is not None:
                    self._leave_out(name, "not a sample")
        self._note_missing()

    def _header(self) -> Mapping[str, Any]:
        if not self._names:
            return self._document if isinstance(self._document, dict) else {}
        found = (self._member(name) for name in _HEADERS if name in self._names)
        return next((header for header in found if isinstance(header, dict)), {})

    def _in_document(self) -> Iterator[Sample]:
        if is_sample(self._document) or is_event_list(self._document):
            yield Sample(self._document, "#")
            return
        samples = self._document.get("samples") if isinstance(self._document, dict) else None
        for index, value in enumerate(samples if isinstance(samples, list) else []):
            if is_sample(value):
                yield Sample(value, f"#/samples/{index}")
            else:
                self._leave_out(f"#/samples/{index}", "not a sample")

    def _chunked(self, prefix: str) -> Iterator[Sample]:
        """A sample whose messages, events and attachments stand in members of their own."""
        shell = self._member(f"{prefix}/sample.json")
        if not isinstance(shell, dict):
            return
        pool = self._sequence(f"{prefix}/messages")
        attachments = enumerate(self._sequence(f"{prefix}/attachments"))
        value = {
            **shell,
            "messages": expand(shell.get("message_refs"), pool),
            "events": self._sequence(f"{prefix}/events"),
            "events_data": {"messages": pool},
            "attachments": {str(index): content for index, content in attachments},
        }
        if is_sample(value):
            yield Sample(value, f"{prefix}/sample.json#")
        else:
            self._leave_out(f"{prefix}/sample.json", "not a sample")

    def _sequence(self, prefix: str) -> list[Any]:
        items: list[Any] = []
        for start, name in sorted(self._chunks.get(prefix, ())):
            chunk = self._member(name)
            # References count from the start of the sequence: what is lost keeps its places.
            items += [None] * min(start - len(items), _REF_LIMIT - len(items))
            items += chunk if isinstance(chunk, list) else []
        return items

    @cached_property
    def _chunks(self) -> Mapping[str, list[tuple[int, str]]]:
        """Start and name of the members of each sequence."""
        chunks: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for match in filter(None, map(_CHUNK.fullmatch, self._names)):
            chunks[match[1]].append((int(match[2]), match[0]))
        return chunks

    def _member(self, name: str) -> Any:
        try:
            return decode(self._log.member(name))
        except (UnreadableError, NotJsonError) as error:
            self._leave_out(name, str(error))
            return None

    def _leave_out(self, place: str, reason: str) -> None:
        self.quarantined.append(Quarantined(place[:_SHOWN_NAME], reason))

    def _note_missing(self) -> None:
        """Samples that the summaries tell of and that are not there."""
        for name in filter(_SUMMARIES.fullmatch, self._names):
            summaries = self._member(name)
            for summary in summaries if isinstance(summaries, list) else []:
                sample = f"samples/{id_of(summary, 'id')}_epoch_{id_of(summary, 'epoch')}"
                is_there = f"{sample}.json" in self._names or f"{sample}/sample.json" in self._names
                missing = Quarantined(f"{sample}.json"[:_SHOWN_NAME], "summarised but not there")
                if not is_there and id_of(summary, "id") and missing not in self.quarantined:
                    self.quarantined.append(missing)


def is_sample(value: Any) -> bool:
    """Whether a value is a sample of an evaluation: its id, its epoch and what happened."""
    if not isinstance(value, dict) or not isinstance(value.get("epoch"), int):
        return False
    has_story = isinstance(value.get("messages"), list) or isinstance(value.get("events"), list)
    return has_story and isinstance(value.get("id"), int | str)


def is_event_list(value: Any) -> bool:
    """Whether a value holds Inspect's events without the sample that they are of."""
    events = value.get("events") if isinstance(value, dict) else None
    if not isinstance(events, list) or "messages" in value:
        return False
    kinds = {id_of(event, "event") for event in events[:60] if isinstance(event, dict)}
    return bool(kinds & {"model", "tool"}) and bool(kinds & {"span_begin", "step", "sample_init"})


def expand(refs: Any, pool: list[Any]) -> list[Any]:
    """The items that ranges `[start, end]` (the end excluded) or single positions refer to."""
    items: list[Any] = []
    for ref in refs if isinstance(refs, list) else []:
        if isinstance(ref, int) and 0 <= ref < len(pool):
            items.append(pool[ref])
        elif isinstance(ref, list) and len(ref) == 2 and all(isinstance(at, int) for at in ref):
            items += pool[max(ref[0], 0) : max(ref[1], 0)]
        if len(items) > _REF_LIMIT:
            break
    return items


def pool_of(sample: Mapping[str, Any]) -> list[Any]:
    """The messages that the events of a sample refer to by position."""
    data = mapping_of(sample, "events_data").get("messages")
    pool = data if isinstance(data, list) else sample.get("message_pool")
    return pool if isinstance(pool, list) else []
