"""The tree of a file's spans: who called whom, which spans are one call, who speaks to whom."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from pipelines.sources.formats.otlp.contents import inputs_of, output_of
from pipelines.sources.formats.otlp.facts import Kind, agent_of, kind_of, response_id_of
from pipelines.sources.formats.otlp.spans import Span

_WRAPPERS = ("agent", "wrapper")


class Ancestry:
    """The spans of a file by their ids, each with its kind."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self._kinds = {id(span): kind_of(span) for span in spans}
        self._by_id = {(span.trace_id, span.span_id): span for span in spans if span.span_id}

    def kind(self, span: Span) -> Kind:
        """The kind of a span of the file."""
        return self._kinds[id(span)]

    def above(self, span: Span) -> Iterator[Span]:
        """The span's parent, its parent's parent and so on, as far as the file has them."""
        seen = {span.span_id}
        while span.parent_id and span.parent_id not in seen:
            seen.add(span.parent_id)
            parent = self._by_id.get((span.trace_id, span.parent_id))
            if parent is None:
                return
            yield parent
            span = parent

    def has_parent(self, span: Span) -> bool:
        """Whether the span is a root or its parent is in the file too."""
        return not span.parent_id or (span.trace_id, span.parent_id) in self._by_id

    def agents_above(self, span: Span) -> list[Span]:
        """The agents that run a span, the innermost first."""
        return [above for above in self.above(span) if self.kind(above) == "agent"]

    def agent_name(self, span: Span) -> str:
        """The agent that a span, or the innermost agent above it, names."""
        names = (agent_of(s) for s in (span, *self.agents_above(span)))
        return next(filter(None, names), "")

    def is_below_tool(self, span: Span) -> bool:
        """Whether a tool runs the span."""
        return any(self.kind(above) == "tool" for above in self.above(span))

    @cached_property
    def conversation(self) -> list[Span]:
        """The spans that make steps: the calls of models and tools, each call once.

        Two libraries may each write a span of one call. What wraps calls counts only where the
        trace has none of them: instrumentations of some agents write nothing else.
        """
        chats = self._single_calls()
        traces = {span.trace_id for span in chats if span.trace_id}
        answered = {response_id_of(span) for span in chats} - {""}
        wrappers = [
            span
            for span in self._outermost(s for s in self.spans if self.kind(s) in _WRAPPERS)
            if not (span.trace_id and span.trace_id in traces)
            and response_id_of(span) not in answered
        ]
        return chats + wrappers + [s for s in self.spans if self._is_own_tool(s)]

    def _single_calls(self) -> list[Span]:
        chats = [span for span in self.spans if self.kind(span) == "chat"]
        within: dict[int, list[Span]] = {}
        for span in chats:
            if outer := self._same_call(span):
                within.setdefault(id(outer), []).append(span)
        doubled: set[int] = set()
        for outer in (span for span in chats if id(span) in within):
            inner = within[id(outer)]
            tells_more = _has_content(outer) and not any(map(_has_content, inner))
            doubled |= {id(span) for span in (inner if tells_more else [outer])}
        return [span for span in chats if id(span) not in doubled]

    def _same_call(self, span: Span) -> Span | None:
        """The call of a model that a call of a model is part of."""
        for above in self.above(span):
            if self.kind(above) == "chat":
                return above
            if self.kind(above) != "other":
                return None
        return None

    def _outermost(self, spans: Iterable[Span]) -> list[Span]:
        telling = {id(span): span for span in spans if _has_content(span)}
        return [
            span
            for span in telling.values()
            if not any(id(above) in telling for above in self.above(span))
        ]

    def _is_own_tool(self, span: Span) -> bool:
        """Whether the span is a tool's and not a part of another's that does the same."""
        if self.kind(span) != "tool":
            return False
        above = next((s for s in self.above(span) if self.kind(s) != "other"), None)
        return above is None or self.kind(above) != "tool"


def _has_content(span: Span) -> bool:
    return bool(inputs_of(span)) or output_of(span) is not None
