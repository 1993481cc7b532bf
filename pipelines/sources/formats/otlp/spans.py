"""Spans and GenAI log records in a JSON value: OTLP exports, plain spans, bare attributes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.sources.fields import id_of, mapping_of, objects_of, text_of
from pipelines.sources.formats.otlp.attributes import (
    Attributes,
    attributes_of,
    first_text,
    plain_value,
)
from pipelines.sources.formats.otlp.scalars import identifier, nanoseconds
from pipelines.sources.reading import Quarantined

_FAILED = (2, "2", "STATUS_CODE_ERROR", "ERROR", "Error", "error")
_SERVED = (1, "1", "STATUS_CODE_OK", "OK", "Ok", "ok")
_BARE_ATTRIBUTES = frozenset(
    (
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.system",
        "openinference.span.kind",
        "ai.operationId",
    )
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a span or a log record tells of."""

    name: str
    attributes: Attributes
    body: Any = None


@dataclass(frozen=True, slots=True)
class Span:
    """One operation; ids are lower-case hex where the file has them in a known form."""

    place: str
    """Its JSON pointer, with the line before it in a file of lines."""
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: int
    """Nanoseconds since 1970; 0 where it is unknown, as in `end`."""
    end: int
    attributes: Attributes
    resource: Attributes
    events: tuple[Event, ...]
    has_failed: bool = False
    error: str = ""
    is_of_logs: bool = False
    """Put together from log records alone: nothing is known of the operation as a whole."""

    @property
    def ref(self) -> str:
        """Its own id, else its place."""
        return self.span_id or self.place


def is_telemetry(value: Any) -> bool:
    """Whether a document or record is an export, a span or several, or a span's attributes."""
    if isinstance(value, dict):
        is_export = isinstance(_under(value, "resourceSpans"), list) or _has_genai_logs(value)
        return is_export or is_span(value) or _is_bare(value) or _is_map_of_spans(value)
    return isinstance(value, list) and any(is_span(item) or _is_bare(item) for item in value)


def is_span(value: Any) -> bool:
    """Whether a value is a span: OTLP's, or as an SDK writes its spans out."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return False
    if "context.span_id" in value:
        return True
    return isinstance(value.get("attributes"), dict | list) and bool(_spanidentifier(value))


def spans_in(value: Any, place: str) -> Iterator[Span | Quarantined]:
    """Every span, and every GenAI log record as a span of its own; `place` leads to `value`."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _spans_in_item(item, f"{place}/{index}")
    elif isinstance(value, dict):
        if is_span(value) or _is_bare(value):
            yield _span(value, place, {})
        elif _is_map_of_spans(value):
            for key, items in value.items():
                yield from spans_in(items, f"{place}/{key.replace('~', '~0').replace('/', '~1')}")
        else:
            yield from _of_export(value, place)


def _spans_in_item(item: Any, place: str) -> Iterator[Span | Quarantined]:
    if is_span(item) or _is_bare(item):
        yield _span(item, place, {})
    else:
        yield Quarantined(place, "not a span")


def _is_bare(value: Any) -> bool:
    return isinstance(value, dict) and bool(_BARE_ATTRIBUTES & value.keys())


def _is_map_of_spans(value: dict[str, Any]) -> bool:
    lists = value.values()
    return bool(value) and all(
        isinstance(items, list) and items and all(map(is_span, items)) for items in lists
    )


def _has_genai_logs(value: dict[str, Any]) -> bool:
    return any(_event_name(record).startswith("gen_ai.") for record, _, _ in _logs(value, ""))


def _of_export(value: dict[str, Any], place: str) -> Iterator[Span | Quarantined]:
    for holder, resource, at in _scopes(value, place, "resourceSpans", "scopeSpans"):
        spans = holder.get("spans")
        for index, span in enumerate(spans if isinstance(spans, list) else []):
            if isinstance(span, dict):
                yield _span(span, f"{at}/spans/{index}", resource)
            else:
                yield Quarantined(f"{at}/spans/{index}", "not a span")
    for record, resource, at in _logs(value, place):
        if (name := _event_name(record)).startswith("gen_ai."):
            yield _logged(record, name, at, resource)


def _scopes(
    value: dict[str, Any], place: str, outer: str, inner: str
) -> Iterator[tuple[dict[str, Any], Attributes, str]]:
    """What holds spans or records, the attributes of the resource, and where it stands."""
    for group in _indexed(_under(value, outer)):
        about = attributes_of(mapping_of(group[1], "resource").get("attributes"))
        # `instrumentationLibrarySpans` is what scopes were called until 2022.
        old = inner.replace("scope", "instrumentationLibrary")
        for key in (inner, _snake(inner), old):
            for scope in _indexed(group[1].get(key)):
                yield scope[1], about, f"{place}/{outer}/{group[0]}/{key}/{scope[0]}"


def _logs(value: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], Attributes, str]]:
    for holder, resource, at in _scopes(value, place, "resourceLogs", "scopeLogs"):
        for index, record in _indexed(_under(holder, "logRecords")):
            yield record, resource, f"{at}/logRecords/{index}"


def _indexed(value: Any) -> list[tuple[int, dict[str, Any]]]:
    items = value if isinstance(value, list) else []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, dict)]


def _under(value: Mapping[str, Any], key: str) -> Any:
    """The value under a key of protobuf, which JSON has in camel case or as it was."""
    return value.get(key, value.get(_snake(key)))


def _snake(key: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", key).lower()


def _span(value: dict[str, Any], place: str, resource: Attributes) -> Span:
    attributes = _attributes(value)
    events = tuple(_events(value))
    about = attributes_of(mapping_of(value, "resource").get("attributes"))
    failed, error = _failure(value, attributes, events)
    return Span(
        place,
        identifier(_firstidentifier(value, "traceId", "trace_id")),
        identifier(_spanidentifier(value)),
        identifier(_parentidentifier(value)),
        text_of(value, "name"),
        nanoseconds(value, "startTimeUnixNano", "start_time_unix_nano", "startTime", "start_time"),
        nanoseconds(value, "endTimeUnixNano", "end_time_unix_nano", "endTime", "end_time"),
        attributes,
        resource or about,
        events,
        failed,
        error,
    )


def _attributes(value: dict[str, Any]) -> Attributes:
    """A span's attributes: in their place, as columns of a table, or the value itself."""
    if isinstance(value.get("attributes"), dict | list):
        return attributes_of(value["attributes"])
    columns = {k.removeprefix("attributes."): v for k, v in value.items() if "attributes." in k}
    return columns or value


def _events(value: dict[str, Any]) -> Iterator[Event]:
    for event in objects_of(value, "events"):
        attributes = attributes_of(event.get("attributes"))
        yield Event(text_of(event, "name"), attributes, plain_value(event.get("body")))


def _failure(
    value: dict[str, Any], attributes: Attributes, events: tuple[Event, ...]
) -> tuple[bool, str]:
    """Whether the operation failed, and what is said of it."""
    status = mapping_of(value, "status")
    code = next((c for c in (status.get("code"), status.get("status_code"))), None)
    code = code if code is not None else value.get("status_code", value.get("status"))
    raised = [event.attributes for event in events if event.name == "exception"]
    error_type = first_text(attributes, "error.type")
    failed = _is_one_of(code, _FAILED) or bool(error_type)
    failed = failed or (bool(raised) and not _is_one_of(code, _SERVED))
    if not failed:
        return False, ""
    said = [_exception_text(exception) for exception in raised[-1:]]
    said += [text_of(status, "message"), text_of(status, "description")]
    said += [first_text(attributes, "error.message"), error_type]
    return True, next(filter(None, said), "")


def _is_one_of(code: Any, known: tuple[Any, ...]) -> bool:
    return isinstance(code, str | int) and not isinstance(code, bool) and code in known


def _exception_text(exception: Attributes) -> str:
    kind = first_text(exception, "exception.type")
    return ": ".join(filter(None, (kind, first_text(exception, "exception.message"))))


def _logged(record: dict[str, Any], name: str, place: str, resource: Attributes) -> Span:
    attributes = attributes_of(record.get("attributes"))
    body = plain_value(record.get("body"))
    time = nanoseconds(
        record, "timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "timestamp"
    )
    return Span(
        place,
        identifier(_firstidentifier(record, "traceId", "trace_id")),
        identifier(_firstidentifier(record, "spanId", "span_id")),
        "",
        name,
        time,
        time,
        attributes,
        resource,
        (Event(name, attributes, body),),
        is_of_logs=True,
    )


def _event_name(record: dict[str, Any]) -> str:
    own = id_of(record, "eventName", "event_name")
    return own or first_text(attributes_of(record.get("attributes")), "event.name")


def _firstidentifier(value: dict[str, Any], *keys: str) -> str:
    holders = (value, mapping_of(value, "spanContext"), mapping_of(value, "context"))
    flat = id_of(value, *(f"context.{key}" for key in keys))
    return next(filter(None, (id_of(holder, *keys) for holder in holders)), flat)


def _spanidentifier(value: dict[str, Any]) -> str:
    # `id` is a span's where the trace has one too.
    return _firstidentifier(value, "spanId", "span_id") or (
        id_of(value, "id") if "traceId" in value else ""
    )


def _parentidentifier(value: dict[str, Any]) -> str:
    own = id_of(value, "parentSpanId", "parent_span_id", "parentId", "parent_id")
    return own or id_of(value.get("parentSpanContext"), "spanId")
