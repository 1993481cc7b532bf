"""A conversation made shorter: what stays, what is condensed, what becomes a line."""

from agent_core.compaction import compact, estimated_tokens
from agent_core.policy import Action, AgentTurn, Turns, UserTurn
from agent_core.session import Observation, ToolCall

_LONG = "\n".join(f"line {number} of a long file" for number in range(1_000))
_FAILED = "exit code 1\nTraceback (most recent call last):\nValueError: no such row"


def _read(number: int, content: str = _LONG) -> AgentTurn:
    call = ToolCall(f"c{number}", "read_file", {"path": f"{number}.txt"})
    action = Action(tool_calls=(call,), spent_tokens=10)
    return AgentTurn(action, (Observation(call.call_id, content),))


def _failed_run() -> AgentTurn:
    call = ToolCall("c0", "run_command", {"command": "make"})
    observation = Observation("c0", _FAILED, True, "command_failed", "x")
    return AgentTurn(Action("I try.", (call,), spent_tokens=7), (observation,))


def _sizes(turns: Turns) -> list[int]:
    return [
        len(turn.text)
        if isinstance(turn, UserTurn)
        else sum(len(o.content) for o in turn.observations)
        for turn in turns
    ]


def test_the_oldest_results_are_condensed_first_and_only_as_far_as_needed() -> None:
    turns: Turns = (UserTurn("task"), *map(_read, range(5)))
    per_turn = estimated_tokens(_LONG)
    shorter = compact(turns, 4.5 * per_turn)
    assert shorter is not None
    sizes = _sizes(shorter.turns)
    assert sizes[0] == len("task")
    assert sizes[1] < 1_000
    assert sizes[2:] == [len(_LONG)] * 4
    first = shorter.turns[1]
    assert isinstance(first, AgentTurn)
    assert first.observations[0].content.startswith(
        f"[condensed: a result of {len(_LONG)} characters; call the tool again for all of it]\n"
    )
    assert shorter.note.endswith("tokens: 1 turns condensed.")


def test_old_turns_become_a_line_a_call_and_what_was_spent_is_kept() -> None:
    turns: Turns = (UserTurn("task"), _failed_run(), *map(_read, range(1, 6)), UserTurn("and now?"))
    shorter = compact(turns, 3 * estimated_tokens(_LONG) + 200)
    assert shorter is not None
    task, summary, *rest = shorter.turns
    assert (task, rest[-1]) == (UserTurn("task"), UserTurn("and now?"))
    assert isinstance(summary, AgentTurn)
    assert summary.action.text.splitlines()[1:] == [
        "- said: I try.",
        '- run_command {"command": "make"}: command_failed: ValueError: no such row',
        f'- read_file {{"path": "1.txt"}}: served, {len(_LONG)} characters',
        f'- read_file {{"path": "2.txt"}}: served, {len(_LONG)} characters',
    ]
    assert summary.action.spent_tokens == 27
    assert [turn for turn in rest if isinstance(turn, AgentTurn)] == list(turns[-4:-1])


def test_a_result_larger_than_the_window_is_condensed_though_it_is_the_newest() -> None:
    turns = (UserTurn("task"), _read(1, _LONG * 5))
    shorter = compact(turns, 5_000)
    assert shorter is not None
    assert sum(_sizes(shorter.turns)) < 13_000
    assert shorter.note.endswith("the newest results condensed.")


def test_what_cannot_be_shortened_is_said() -> None:
    assert compact((UserTurn("x" * 100_000), _read(1, "short")), 100) is None


def test_summaries_are_summed_up_again() -> None:
    turns: Turns = (UserTurn("task"),)
    for number in range(20):
        turns = (*turns, _read(number))
        shorter = compact(turns, 4 * estimated_tokens(_LONG))
        turns = shorter.turns if shorter else turns
    summaries = [turn for turn in turns if isinstance(turn, AgentTurn) and not turn.observations]
    assert len(summaries) <= 1
    spent = sum(turn.action.spent_tokens for turn in turns if isinstance(turn, AgentTurn))
    assert spent == 200
