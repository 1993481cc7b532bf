"""Sessions in a line or two, for the judges' tests."""

from dataclasses import replace
from itertools import count
from typing import Any

from agent_core.session import Event, Observation, Session, Step, ToolCall

Called = tuple[str, dict[str, Any], str, str | None]
"""Tool, arguments, what came back, error class (None: it served)."""
_numbers = count()
"""Tell calls and edits apart that are alike otherwise."""


def session(*steps: Step, autonomous: bool = False) -> Session:
    """A session whose steps are renumbered `s1`, `s2`, ..."""
    numbered = tuple(replace(step, source_ref=f"s{n}") for n, step in enumerate(steps, start=1))
    return Session("atif:t", "atif", "t", "t.json", numbered, is_autonomous=autonomous)


def person(text: str) -> Step:
    return Step("", "user", text, is_person=True)


def event(kind: Event, text: str = "") -> Step:
    return Step("", "user", text, event=kind)


def agent(text: str = "", *calls: Called) -> Step:
    """A step of the agent; its observations stand in it, as the bundled core logs them."""
    made = tuple(ToolCall(f"c{next(_numbers)}", call[0], call[1]) for call in calls)
    came = tuple(
        Observation(done.call_id, content, error is not None, error, error and f"{error} <n>")
        for done, (_, _, content, error) in zip(made, calls, strict=True)
    )
    return Step("", "agent", text, tool_calls=made, observations=came)


def ran(command: str, error: str | None = None) -> Called:
    """A command that served or failed with a class."""
    return ("run_command", {"command": command}, error or "ok", error)


def edited(path: str, error: str | None = None) -> Called:
    """An edit that served or failed with a class."""
    return ("edit_file", {"path": path, "old": f"{next(_numbers)}"}, error or "ok", error)
