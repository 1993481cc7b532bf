"""Which result answers which call: by id, else by name and order."""

from dataclasses import dataclass, field

from agent_core.session import Observation, Step, ToolCall


@dataclass
class Entry:
    """A step in the making: its results arrive from other spans."""

    time: int
    """Nanoseconds; where it stands among the others."""
    step: Step
    observations: list[Observation] = field(default_factory=list)


@dataclass
class Slot:
    """A call that an answer made, and whether its result is known."""

    entry: Entry
    call: ToolCall
    """Under the id that the session knows it by."""
    trace_id: str
    time: int
    is_answered: bool = False

    def answer(self, observation: Observation) -> None:
        """Put the result into the step that made the call."""
        self.entry.observations.append(observation)
        self.is_answered = True


@dataclass
class CallBook:
    """The calls of one session, in the order in which they were made."""

    _by_id: dict[str, list[Slot]] = field(default_factory=dict)
    _by_name: dict[str, list[Slot]] = field(default_factory=dict)
    _all: list[Slot] = field(default_factory=list)

    def add(self, slot: Slot, call_id: str) -> None:
        """Note a call; `call_id` is empty where the log has none for it."""
        if call_id:
            self._by_id.setdefault(call_id, []).append(slot)
        self._by_name.setdefault(slot.call.name, []).append(slot)
        self._all.append(slot)

    def knows(self, call_id: str) -> bool:
        """Whether a call has this id."""
        return call_id in self._by_id

    def nth(self, call_id: str, name: str, number: int) -> Slot | None:
        """The call that the result `number` (from 0) of this id, or else of this name, answers."""
        slots = self._by_id.get(call_id, []) if call_id else self._named(name)
        return slots[number] if number < len(slots) else None

    def _named(self, name: str) -> list[Slot]:
        return self._by_name.get(name, []) if name else self._all

    def carried_out(self, call: ToolCall, trace_id: str, time: int) -> Slot | None:
        """The unanswered call that a tool's span carried out, which began at `time`.

        An id that is used again means the last call before; without id it is the first call of
        the trace with this name, those with the same arguments first.
        """
        if call.call_id:
            slots = [s for s in self._by_id.get(call.call_id, []) if not s.is_answered]
            return next((s for s in reversed(slots) if s.time <= time), slots[0] if slots else None)
        slots = [
            slot
            for slot in self._by_name.get(call.name, [])
            if slot.trace_id == trace_id and not slot.is_answered and slot.time <= time
        ]
        same = (slot for slot in slots if slot.call.arguments == call.arguments)
        return next(same, slots[0] if slots else None)

    def next_open(self, name: str, trace_id: str, time: int) -> Slot | None:
        """The first unanswered call of the trace with this name, or of any, before `time`."""
        slots = (s for s in self._named(name) if s.trace_id == trace_id and s.time <= time)
        return next((slot for slot in slots if not slot.is_answered), None)
