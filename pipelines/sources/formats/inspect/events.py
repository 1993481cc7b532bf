"""The events of a sample in one list, each with its place and whether a grader caused it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipelines.sources.fields import id_of, text_of
from pipelines.sources.formats.inspect.samples import Sample

_GRADERS = frozenset(("scorer", "scorers"))
_NESTING_LIMIT = 20


class PlacedEvent(NamedTuple):
    """One event; until 2025 those of a subtask or a tool stood inside its own."""

    value: Mapping[str, Any]
    place: str
    is_grader: bool
    """A model call that judges the sample's work."""


def events_of(sample: Sample) -> list[PlacedEvent]:
    """The events of a sample in their order; what is no event is left out."""
    scoring = _Scoring()
    listed = _flat(sample.value.get("events"), f"{sample.place}/events", 0)
    return [
        PlacedEvent(event, place, scoring.follow(event) and text_of(event, "event") == "model")
        for place, event in listed
    ]


def _flat(events: Any, place: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if depth > _NESTING_LIMIT:
        return
    for index, event in enumerate(events if isinstance(events, list) else []):
        if isinstance(event, dict):
            yield f"{place}/{index}", event
            yield from _flat(event.get("events"), f"{place}/{index}/events", depth + 1)


class _Scoring:
    """Whether one stands in the part of a sample that judges it, by its spans or steps."""

    def __init__(self) -> None:
        self._spans: set[str] = set()
        self._steps = 0

    def follow(self, event: Mapping[str, Any]) -> bool:
        """Take the event in; whether it belongs to that part."""
        kind = text_of(event, "event")
        if kind == "span_begin":
            is_inside = id_of(event, "parent_id") in self._spans
            if is_inside or text_of(event, "type") in _GRADERS:
                self._spans.add(id_of(event, "id"))
        if kind == "step" and (text_of(event, "type") in _GRADERS or self._steps):
            is_begun = event.get("action") == "begin"
            self._steps = max(0, self._steps + (1 if is_begun else -1))
        return id_of(event, "span_id") in self._spans or self._steps > 0
