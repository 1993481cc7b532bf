"""Invented sessions, said turn by turn."""

from dataclasses import replace

from agent_core.session import Observation, Session, Step, ToolCall


def person(text: str) -> Step:
    return Step(source_ref="", source="user", text=text, is_person=True)


def agent(text: str) -> Step:
    return Step(source_ref="", source="agent", text=text)


def called(tool: str, result: str = "ok", error_class: str | None = None) -> Step:
    """A call with its result; with `error_class` it failed."""
    failed = error_class is not None
    seen = Observation("c1", result, failed, error_class, result if failed else None)
    call = ToolCall("c1", tool, {})
    return Step(source_ref="", source="agent", tool_calls=(call,), observations=(seen,))


def talk(*steps: Step, key: str = "s1", user: str | None = None) -> Session:
    """A session of these steps, referred to as `1`, `2`, ..."""
    numbered = [replace(step, source_ref=str(n)) for n, step in enumerate(steps, start=1)]
    return Session(key, "atif", key, "logs/a.json", tuple(numbered), user=user)
