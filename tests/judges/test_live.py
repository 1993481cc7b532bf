"""The live judge: which alarm when, once, in closed words; and the rules step by step."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent_core.session import Observation, Session, Step, ToolCall
from judges.live import ALARM_KINDS, Alarm, AlarmKind, LiveJudge
from judges.live.advice import advice, seen
from judges.live.alarms import Sign
from judges.live.window import MAX_SEGMENT_STEPS, Window
from judges.rules import RulesJudge
from judges.verdict import Moment
from pipelines.sources import find_files, read_file
from tests.judges.build import Called, agent, edited, event, person, ran, session
from tests.judges.live_rules import LiveRules
from tests.shared_data import missing_data, shared_folder

WISH = "please add a retry option to the download command of the tool"
_TIMEOUT: Called = ("WebFetch", {"url": "https://example.org"}, "timed out", "timeout")
_ALARMS: dict[str, tuple[list[Step], list[tuple[str, int, int]]]] = {
    "failures of one tool": (
        [
            person("hello there, start"),
            *(agent("", edited(f"{n}.py", "no_match")) for n in range(3)),
        ],
        [("error_run", 1, 3)],
    ),
    "told again when it has doubled": (
        [
            person("hello there, start"),
            *(agent("", edited(f"{n}.py", "no_match")) for n in range(7)),
        ],
        [("error_run", 1, 3), ("error_run", 1, 6)],
    ),
    "a mended failure is none": (
        [
            person("hello there, start"),
            agent("", edited("a.py", "no_match")),
            agent("", edited("a.py", "no_match"), edited("a.py")),
            agent("", edited("a.py", "no_match"), edited("a.py")),
        ],
        [],
    ),
    "one call again and again": (
        [
            person("hello there, start"),
            *(agent("", ran("make", "command_failed")) for _ in range(3)),
        ],
        [("repeated_call", 1, 3)],
    ),
    "the tests again after an edit are no loop": (
        [
            person("hello there, start"),
            *(
                step
                for n in range(4)
                for step in (agent("", ran("make", "test_failure")), agent("", edited(f"{n}.py")))
            ),
        ],
        [],
    ),
    "stopped after a claim": (
        [person("hello there, start"), agent("It is done.", edited("a.py")), event("interrupt")],
        [("interrupt_after_claim", 1, 1)],
    ),
    "stopped twice": (
        [
            person("hello there, start"),
            agent("I look."),
            event("interrupt"),
            person("look elsewhere, in the other folder"),
            agent("I look there."),
            event("interrupt"),
        ],
        [("repeated_stops", 2, 2)],
    ),
    "a wish for the third time": (
        [
            person(f"{WISH}"),
            agent("What else?"),
            person(f"{WISH} now"),
            agent("What else?"),
            person(f"hello, {WISH}"),
        ],
        [("third_restatement", 3, 3)],
    ),
    "said to be done, and fails again": (
        [
            person("hello there, start"),
            agent("It is fixed.", edited("a.py")),
            person("no, that is wrong, the download still fails with an error"),
            agent("It is fixed.", edited("a.py"), ran("make")),
            person("no, that is wrong, the parser fails with the same error again"),
        ],
        [("repeated_failure", 3, 2), ("friction_building", 3, 2)],
    ),
}


@pytest.mark.parametrize(("steps", "expected"), _ALARMS.values(), ids=_ALARMS.keys())
def test_alarms(steps: list[Step], expected: list[tuple[str, int, int]]) -> None:
    assert [(a.kind, a.turn, a.times) for a in _alarms(steps)] == expected


def _alarms(steps: Sequence[Step]) -> list[Alarm]:
    judge = LiveJudge(b"salt")
    return [alarm for step in session(*steps).steps for alarm in judge.observe(step)]


def test_a_claim_over_a_failure_counts_when_the_agent_rests() -> None:
    judge = LiveJudge(b"salt")
    failed, claim = agent("", ran("make", "command_failed")), agent("All done.")
    started = session(person("hello there, start"), failed, claim).steps
    assert [alarm for step in started for alarm in judge.observe(step)] == []
    assert [alarm.kind for alarm in judge.rest(started[-1])] == ["claim_over_failure"]
    assert judge.rest(started[-1]) == ()


def test_a_fix_that_nobody_ran_counts_when_the_agent_rests() -> None:
    judge = LiveJudge(b"salt")
    steps = session(
        person("hello there, start"),
        agent("It is fixed.", edited("a.py")),
        person("no, that is wrong, the download still fails with an error"),
        agent("It is fixed now.", edited("a.py")),
    ).steps
    for step in steps:
        judge.observe(step)
    assert [alarm.kind for alarm in judge.rest(steps[-1])] == ["unverified_fix"]


def test_a_result_that_comes_later_counts() -> None:
    judge = LiveJudge(b"salt")
    for step in session(person("hello there, start"), agent(""), agent("")).steps:
        judge.observe(step)
    calls = tuple(ToolCall(f"c{n}", "Edit", {"file_path": f"{n}"}) for n in range(3))
    called = Step("late", "agent", tool_calls=calls)
    assert judge.observe(called) == ()
    results = tuple(Observation(c.call_id, "", True, "no_match", "no match") for c in calls)
    assert [a.kind for a in judge.revise(replace(called, observations=results))] == ["error_run"]
    assert judge.revise(Step("gone", "agent", observations=results)) == ()


def test_what_was_recalled_is_told_by_a_look_only() -> None:
    judge = LiveJudge(b"salt")
    failures = (agent("", edited(f"{n}.py", "no_match")) for n in range(3))
    steps = session(person("hello there, start"), *failures).steps
    judge.recall(steps)
    assert [alarm.kind for alarm in judge.look(steps[-1])] == ["error_run"]


def test_of_many_turns_the_last_50_are_kept() -> None:
    window = Window()
    work = agent("y" * 20_000, edited("a.py"), ran("make", "timeout"))
    held = []
    for number in range(1_000, 1_400):
        window.take(work)
        window.take(person(f"{number}. {WISH}. {'x' * 2_000}"))
        if number in (1_100, 1_399):
            held.append(len(repr(vars(window))))
    view = window.last_view()
    assert view is not None
    assert view.closing is not None
    assert [turn.prose[:4] for turn in (*view.earlier, view.closing)] == [
        str(number) for number in range(1_349, 1_400)
    ]
    assert held[0] == held[1] < 200_000


def test_of_many_turns_the_last_50_are_noted() -> None:
    judge = LiveJudge(b"salt")
    refs = []
    for step in session(*(person(f"{WISH} {n}") for n in range(70))).steps:
        judge.observe(step)
        refs.append(judge.notes[-1].ref)
    assert judge.turn == 70
    assert [note.ref for note in judge.notes] == refs[-50:]


def test_of_a_long_segment_little_is_kept() -> None:
    window = Window()
    arguments = {"file_path": "a", "content": "x" * 100_000, "more": [1] * 90}
    step = Step(
        "s",
        "agent",
        "z" * 100_000,
        reasoning="w" * 100_000,
        tool_calls=(ToolCall("c", "Write", arguments),),
        observations=(Observation("c", "y" * 100_000),),
    )
    for _ in range(MAX_SEGMENT_STEPS + 50):
        window.take(step)
    view = window.open_view()
    assert view is not None
    assert len(view.segment.steps) == MAX_SEGMENT_STEPS
    assert sum(len(repr(kept)) for kept in view.segment.steps) < 10_000_000


@pytest.mark.parametrize("kind", ALARM_KINDS)
def test_each_kind_has_its_words(kind: AlarmKind) -> None:
    assert advice(kind).endswith(".")
    assert "{" not in seen(Sign(kind, 3))


def test_no_word_of_the_session_is_said() -> None:
    hostile: list[Called] = [
        ("secret-tool", {"secret": str(n)}, "secret", "timeout") for n in range(3)
    ]
    said = [person("my secret words are here"), agent("secret", *hostile), event("interrupt")]
    told = [f"{alarm.says}. {alarm.advice}" for alarm in _alarms(said)]
    assert [text.partition(".")[0] for text in told] == [
        "an external tool ran out of time 3 times in this turn"
    ]
    assert "secret" not in "".join(told)


_SESSIONS: dict[str, Session] = {name: session(*steps) for name, (steps, _) in _ALARMS.items()} | {
    "an autonomous run": session(agent("", _TIMEOUT, _TIMEOUT, _TIMEOUT), autonomous=True),
    "a tail": session(person(WISH), agent("", _TIMEOUT, _TIMEOUT), event("interrupt")),
    "more turns than are kept": session(
        *(step for n in range(56) for step in (person(f"{WISH} number {n}"), agent("Done.")))
    ),
    "a quotation of long work": session(
        person("hello there, start"),
        agent("", edited("a.py")),
        agent("x" * 9_000 + " the retry option is now part of it " + "y" * 1_000),
        person("the retry option is now part of nothing, still fails"),
        agent("You are right, I was wrong."),
    ),
}


@pytest.mark.parametrize("given", _SESSIONS.values(), ids=_SESSIONS.keys())
def test_the_rules_say_the_same_step_by_step(given: Session) -> None:
    _check_same(given)


@pytest.mark.slow
@pytest.mark.shared
def test_the_rules_say_the_same_of_real_sessions() -> None:
    folder = shared_folder()
    if reason := missing_data(folder):
        pytest.skip(reason)
    files = find_files([folder / "logs" / "claude_code", folder / "logs" / "codex"])
    given = [one for file in files for one in read_file(file).sessions]
    assert given
    for one in given:
        _check_same(one)


def _check_same(given: Session) -> None:
    whole = RulesJudge(b"salt")(given)
    live = LiveRules(b"salt", is_autonomous=given.is_autonomous)
    found = [verdict for step in given.steps if (verdict := live.observe(step)) is not None]
    found += live.finish()
    turns = tuple(verdict.score for verdict in found if verdict.score)
    moments = tuple(moment for verdict in found for moment in verdict.moments)
    assert turns == whole.turns
    assert _without_place(moments) == _without_place(whole.moments)


def _without_place(moments: Sequence[Moment]) -> list[Moment]:
    """The descriptor says where in the session: nobody knows that before it ends."""
    return [replace(moment, descriptor="") for moment in moments]
