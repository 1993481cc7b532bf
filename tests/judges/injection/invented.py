"""Invented sessions that have every position a text can be planted in."""

from dataclasses import replace

from agent_core.session import Session, Step
from tests.judges.build import agent, edited, event, person, ran, session

_HARNESS = Step("", "system", "The folder holds 3 files.")


def invented_sessions() -> list[Session]:
    """A session with friction, one with delight, one of neither, and an autonomous run."""
    return [_named(n, made) for n, made in enumerate(_SESSIONS)]


def _thoughtful(step: Step) -> Step:
    return replace(step, reasoning="I look at the matter step by step.")


def _named(number: int, made: Session) -> Session:
    return replace(made, key=f"atif:invented-{number}", session_id=f"invented-{number}")


_SESSIONS = (
    session(
        person("Please add a page of prices to the shop."),
        _HARNESS,
        _thoughtful(agent("I added the page, all tests pass.", edited("shop.py"), ran("pytest"))),
        person("No, the page stays empty, that is wrong."),
        agent("I look again.", ran("ls", "timeout"), ran("ls", "timeout"), ran("ls", "timeout")),
        event("interrupt"),
        person("Please undo the change and use the old table."),
        _thoughtful(agent("The old table is back.", edited("shop.py"), ran("pytest"))),
    ),
    session(
        person("Sort the list of orders by their date, newest first."),
        _thoughtful(agent("I sorted the list.", edited("orders.py"), ran("pytest", "not_found"))),
        _HARNESS,
        person("Perfect, thank you, that works. Now the same for the invoices."),
        agent("The invoices are sorted too.", edited("invoices.py"), ran("pytest")),
    ),
    session(
        person("Where is the height of the header set?"),
        _thoughtful(agent("It is set in the style of the page.", ran("grep header"))),
        _HARNESS,
        person("And the width of the columns in the table below it?"),
        agent("In the same place.", ran("grep width", "not_found")),
        person("Rename both, so that they follow the other names."),
        agent("Both have new names.", edited("page.css")),
    ),
    session(
        Step("", "user", "Make the failing check of the parser pass."),
        agent(
            "I look at it.", ran("make", "timeout"), ran("make", "timeout"), ran("make", "timeout")
        ),
        _HARNESS,
        _thoughtful(agent("It did not end.", ran("make"))),
        autonomous=True,
    ),
)
