"""The plan after observations."""

import pytest

from agent_core.plan import DEFAULT_PLAN, is_finished, revise, show
from agent_core.session import Observation, ToolCall

READ, EDIT, RUN = "read_file", "edit_file", "run_command"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], "ooo", id="nothing yet"),
        pytest.param([(READ, None)], "xoo", id="read"),
        pytest.param([(READ, None), (EDIT, None), (RUN, None)], "xxx", id="all"),
        pytest.param([(READ, None), (EDIT, "no_match")], "xoo!", id="a failure adds a subtask"),
        pytest.param([(EDIT, "no_match"), (EDIT, "no_match")], "ooo!", id="once"),
        pytest.param([(READ, None), (EDIT, "no_match"), (EDIT, None)], "xxo", id="got over it"),
        pytest.param(
            [(READ, None), (EDIT, None), (RUN, None), (EDIT, None)],
            "xxo",
            id="a change reopens the check",
        ),
    ],
)
def test_is_revised_after_each_observation(
    events: list[tuple[str, str | None]], expected: str
) -> None:
    plan = DEFAULT_PLAN
    for tool, failure in events:
        observed = Observation("c", "", failure is not None, failure, failure)
        plan = revise(plan, [ToolCall("c", tool, {})], [observed])
    marks = {"open": "o", "done": "x", "failed": "!"}
    assert "".join(marks[subtask.status] for subtask in plan) == expected
    assert is_finished(plan) == (set(expected) == {"x"})


def test_shows_what_is_open() -> None:
    plan = revise(
        DEFAULT_PLAN, [ToolCall("c", RUN, {})], [Observation("c", "", True, "timeout", "")]
    )
    assert show(plan) == (
        "[ ] understand what is there\n"
        "[ ] make the change\n"
        "[ ] check the change by running something\n"
        "[!] get over timeout in run_command"
    )
