"""Error logs of services, as JSON lines, JSON documents or OTLP logs.

Of a record only its time, its service, the class of its error and a salted hash of what names the
error are kept; its text is read and forgotten. OTLP: opentelemetry-proto `logs.proto` in its JSON
form, one document or one a line, as the collector's file exporter writes them.
"""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from agent_core.signature import describe_failure, salted_signature
from pipelines.sources.fields import mapping_of, objects_of
from pipelines.sources.file_bytes import FileBytes, UnreadableError
from pipelines.sources.formats.otlp.attributes import attributes_of, first_text, plain_value
from pipelines.sources.formats.otlp.scalars import nanoseconds
from pipelines.sources.json_lines import JsonLines
from pipelines.sources.json_text import NotJsonError, decode

_TIMES = ("timestamp", "@timestamp", "time", "ts", "datetime", "eventTime", "asctime", "date")
_OTLP_TIMES = ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano")
_LEVELS = ("level", "severity", "severityText", "severity_text", "log.level", "levelname", "lvl")
_SERVICES = (
    *("service.name", "service", "service_name", "serviceName", "app", "application"),
    *("component", "logger", "program"),
)
_MESSAGES = (
    *("error.message", "exception.message", "err.message", "message", "msg", "error", "exception"),
    *("err", "body", "event", "text"),
)
_TYPES = ("exception.type", "error.type", "err.type", "error.name", "exception.class")
_ERROR_LEVEL = re.compile(r"(?i)e|err|error|severe|f|fatal|crit(ical)?|panic|alert|emerg(ency)?")
_FATAL_LEVEL = re.compile(r"(?i)f|fatal|crit(ical)?|panic|alert|emerg(ency)?")
_OTLP_ERROR, _OTLP_FATAL = 17, 21
_NUMBERED_ERROR, _NUMBERED_FATAL = 50, 60
"""Of levels in numbers, as pino and bunyan write them."""
_SERVICE = re.compile(r"[A-Za-z0-9][\w./-]{0,63}")
_DOCUMENT_BYTES = 1 << 28
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ErrorRecord(NamedTuple):
    """A row of `error_logs`."""

    error_id: str
    occurred_at: datetime
    service: str | None
    severity: str
    error_class: str
    error_signature: str


class _Entry(NamedTuple):
    """A record of a log before it is known to be an error."""

    place: str
    record: Mapping[str, Any]
    resource: Mapping[str, Any]


@dataclass
class ErrorLogFile:
    """One file that is being read; the counts are whole when `records` has ended."""

    path: Path
    salt: bytes
    passed_over: int = 0
    """Records below the level of an error."""
    broken: list[str] = field(default_factory=list)
    """`place: reason` of what could not be read."""

    def records(self) -> Iterator[ErrorRecord]:
        """The errors in the file, in its order. Raises UnreadableError."""
        seen: Counter[tuple[Any, ...]] = Counter()
        for entry in self._entries():
            severity = _severity(entry.record)
            if severity is None:
                self.passed_over += 1
                continue
            read = self._read(entry, severity)
            if isinstance(read, str):
                self.broken.append(f"{entry.place}: {read}")
                continue
            seen[read] += 1
            yield ErrorRecord(self._id(read, seen[read]), *read)

    def _read(self, entry: _Entry, severity: str) -> tuple[Any, ...] | str:
        """The values of a row but for its id, or what is wrong with the record."""
        occurred_at = _time(entry.record)
        text = _text(entry.record)
        if occurred_at is None:
            return "no time"
        if not text:
            return "no message"
        error_class, signature = describe_failure(text)
        service = self._service(entry)
        salted = salted_signature(error_class, signature, self.salt)
        return occurred_at, service, severity, error_class, salted

    def _service(self, entry: _Entry) -> str | None:
        """The name of the service; one that is no plain name as a hash."""
        name = first_text(entry.resource, *_SERVICES) or first_text(entry.record, *_SERVICES)
        if not name or _SERVICE.fullmatch(name):
            return name or None
        return f"service:{self._hash(name)[:12]}"

    def _id(self, values: tuple[Any, ...], number: int) -> str:
        """The same for the same record in another file; equal records of one file are counted."""
        return self._hash("\0".join(map(str, (*values, number))))[:24]

    def _hash(self, text: str) -> str:
        return hmac.new(self.salt, text.encode(), hashlib.sha256).hexdigest()

    def _entries(self) -> Iterator[_Entry]:
        content = FileBytes(self.path)
        lines = JsonLines(content)
        found = 0
        for record in lines:
            found += 1
            yield from self._opened(record.place, record.value)
        if not found and lines.broken:
            yield from self._document(content)
            return
        self.broken += [f"line:{line.line}: {line.reason}" for line in lines.broken]
        if lines.torn is not None:
            self.broken.append(f"line:{lines.torn}: ends in the middle of a record")
        if content.is_cut_short:
            self.broken.append("end: the compressed stream ends before its end")

    def _document(self, content: FileBytes) -> Iterator[_Entry]:
        """A JSON document over many lines."""
        try:
            value = decode(content.whole(_DOCUMENT_BYTES))
        except NotJsonError as error:
            raise UnreadableError(f"neither JSON lines nor JSON ({error})") from error
        yield from self._opened("#", value)

    def _opened(self, place: str, value: Any) -> Iterator[_Entry]:
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from self._opened(f"{place}/{number}", item)
        elif not isinstance(value, dict):
            self.broken.append(f"{place}: not a JSON object")
        elif "resourceLogs" in value or "resource_logs" in value:
            yield from _otlp_entries(place, value)
        else:
            yield _Entry(place, value, {})


def _otlp_entries(place: str, document: Mapping[str, Any]) -> Iterator[_Entry]:
    number = 0
    for group in _listed(document, "resourceLogs", "resource_logs"):
        resource = attributes_of(mapping_of(group, "resource").get("attributes"))
        for scope in _listed(group, "scopeLogs", "scope_logs"):
            for record in _listed(scope, "logRecords", "log_records"):
                flat = {**record, **attributes_of(record.get("attributes"))}
                flat["body"] = plain_value(record.get("body"))
                yield _Entry(f"{place}#{number}", flat, resource)
                number += 1


def _listed(record: Mapping[str, Any], *keys: str) -> list[dict[str, Any]]:
    return next((found for key in keys if (found := objects_of(record, key))), [])


def _severity(record: Mapping[str, Any]) -> str | None:
    """`error`, `fatal`, or None below; a record that states no level is an error."""
    number = record.get("severityNumber", record.get("severity_number"))
    if isinstance(number, int) and number > 0:
        return _by_number(number, _OTLP_ERROR, _OTLP_FATAL)
    level = first_text(record, *_LEVELS)
    if level.isdecimal():
        return _by_number(int(level[:9]), _NUMBERED_ERROR, _NUMBERED_FATAL)
    if not level:
        return "error"
    if not _ERROR_LEVEL.fullmatch(level):
        return None
    return "fatal" if _FATAL_LEVEL.fullmatch(level) else "error"


def _by_number(number: int, error: int, fatal: int) -> str | None:
    if number < error:
        return None
    return "fatal" if number >= fatal else "error"


def _time(record: Mapping[str, Any]) -> datetime | None:
    at = nanoseconds(record, *_OTLP_TIMES, *_TIMES)
    try:
        return _EPOCH + timedelta(microseconds=at // 1000) if at > 0 else None
    except OverflowError:
        return None


def _text(record: Mapping[str, Any]) -> str:
    told = (first_text(record, *_TYPES), first_text(record, *_MESSAGES))
    return ": ".join(part for part in told if part.strip())
