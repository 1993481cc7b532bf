"""Measures: what each one counts, and where the log does not show it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent_core.session import Event, Observation, Session, Step, Tokens, ToolCall
from facets.log_rules import LOG_RULES
from facets.measures import MEASURES, measure_session, whole_value
from facets.measures.view import view_log

_START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def _session(steps: Sequence[Step]) -> Session:
    return Session("f:1", "f", "1", "log.jsonl", tuple(steps))


def _person(text: str = "go on") -> Step:
    return Step("turn", "user", text, is_person=True)


def _says(text: str = "done", **marks: Any) -> Step:
    return Step(marks.pop("ref", "said"), "agent", text, **marks)


def _event(event: Event) -> Step:
    return Step("event", "system", event=event)


def _calls(*made: tuple[str, dict[str, Any]], fails: bool = False, ref: str = "") -> Step:
    """One step with calls that all served, or all failed."""
    ids = [f"{ref}{name}{sorted(arguments.items())}" for name, arguments in made]
    return Step(
        ref or ids[0],
        "agent",
        tool_calls=tuple(
            ToolCall(id_, name, arguments) for id_, (name, arguments) in zip(ids, made, strict=True)
        ),
        observations=tuple(Observation(id_, "seen", is_error=fails) for id_ in ids),
    )


def _read(path: str) -> Step:
    return _calls(("Read", {"file_path": path}))


def _edit(path: str, *, fails: bool = False) -> Step:
    return _calls(("Edit", {"file_path": path, "old_string": "a"}), fails=fails)


def _write(path: str) -> Step:
    return _calls(("Write", {"file_path": path, "content": "x"}))


def _run(command: str, *, fails: bool = False) -> Step:
    return _calls(("Bash", {"command": command}), fails=fails)


def _answer(ref: str, tokens: Tokens, call: str | None = None, model: str | None = None) -> Step:
    return Step(ref, "agent", tokens=tokens, api_call_id=call, model=model)


def _at(seconds: float, step: Step) -> Step:
    return replace(step, timestamp=_START + timedelta(seconds=seconds))


_EMPTY = {
    "branch_switches": 0.0,
    "edits": 0.0,
    "files_edited": 0.0,
    "edits_of_one_file": 0.0,
    "rewrites": 0.0,
    "blind_edits": 0.0,
    "failed_edits": 0.0,
    "repeated_reads": 0.0,
    "rereads_after_compaction": 0.0,
    "searches": 0.0,
    "looks_before_first_edit": None,
    "repeated_commands": 0.0,
    "test_runs": 0.0,
    "test_runs_after_edits": 0.0,
    "untested_edits": None,
    "undo_commands": 0.0,
    "subagents": 0.0,
    "plan_updates": 0.0,
    "web_fetches": 0.0,
    "parallel_calls": 0.0,
    "cut_outputs": 0.0,
    "failed_calls_percent": None,
    "longest_failure_run": 0.0,
    "longest_silent_run": 0.0,
    "steps_to_first_edit": None,
    "first_request_words": None,
    "words_per_turn": None,
    "agent_questions": 0.0,
    "edited_turns": 0.0,
    "compactions": 0.0,
    "api_errors": 0.0,
    "seconds_to_first_edit": None,
    "longest_wait_seconds": None,
    "idle_gaps": None,
    "slow_calls": None,
    "model_switches": None,
    "output_tokens_per_call": None,
    "reasoning_percent": None,
    "cached_percent": None,
    "peak_context_tokens": None,
}


def test_an_empty_session_shows_no_more_than_it_holds() -> None:
    assert measure_session(_session([])) == _EMPTY


def test_copied_steps_are_another_sessions() -> None:
    copied = [replace(step, is_copied_context=True) for step in (_person(), _write("a.py"))]
    assert measure_session(_session(copied)) == _EMPTY


@pytest.mark.parametrize(
    ("name", "steps", "value"),
    [
        pytest.param("branch_switches", [_run("git switch -c x")], 1, id="a switch"),
        pytest.param("edits", [_edit("a"), _write("b"), _edit("c", fails=True)], 2, id="edits"),
        pytest.param("files_edited", [_edit("a"), _edit("./a"), _edit("b")], 2, id="files"),
        pytest.param("edits_of_one_file", [_edit("a"), _edit("b"), _write("a")], 2, id="one file"),
        pytest.param("rewrites", [_write("a"), _write("a"), _write("b")], 1, id="rewrites"),
        pytest.param(
            "blind_edits", [_read("a"), _edit("a"), _edit("b"), _edit("b")], 1, id="blind"
        ),
        pytest.param("failed_edits", [_edit("a", fails=True), _edit("b")], 1, id="failed edits"),
        pytest.param(
            "repeated_reads",
            [_read("a"), _read("a"), _edit("a"), _read("a"), _read("b")],
            1,
            id="a file read again after an edit is new",
        ),
        pytest.param(
            "rereads_after_compaction",
            [_read("a"), _read("b"), _event("compaction"), _read("a"), _read("c"), _read("c")],
            1,
            id="read before and after",
        ),
        pytest.param("rereads_after_compaction", [_read("a"), _read("a")], 0, id="no compaction"),
        pytest.param(
            "searches",
            [_calls(("Grep", {"pattern": "x"})), _run("cd src && rg x")],
            2,
            id="searches",
        ),
        pytest.param(
            "looks_before_first_edit",
            [_read("a"), _run("ls"), _edit("a"), _read("b")],
            2,
            id="looks before the edit",
        ),
        pytest.param("looks_before_first_edit", [_read("a")], None, id="looks without an edit"),
        pytest.param(
            "repeated_commands",
            [_run("make"), _run("make"), _edit("a"), _run("make")],
            1,
            id="the same command after an edit is no repetition",
        ),
        pytest.param(
            "test_runs",
            [_run("python -m pytest -q"), _run("npm run test:unit"), _run("cat pytest.ini")],
            2,
            id="test runs",
        ),
        pytest.param(
            "test_runs_after_edits",
            [_run("pytest"), _edit("a"), _edit("b"), _run("pytest"), _run("pytest")],
            1,
            id="tests after edits",
        ),
        pytest.param(
            "untested_edits", [_edit("a"), _run("pytest"), _edit("a")], 1, id="untested edits"
        ),
        pytest.param("untested_edits", [_run("pytest")], None, id="untested without an edit"),
        pytest.param(
            "undo_commands",
            [_run("git checkout -- a.py"), _run("git checkout main"), _run("git reset --hard")],
            2,
            id="undone",
        ),
        pytest.param("subagents", [_calls(("Task", {"prompt": "look"}))], 1, id="subagents"),
        pytest.param("plan_updates", [_calls(("TodoWrite", {}))], 1, id="plans"),
        pytest.param("web_fetches", [_calls(("WebFetch", {"url": "u"}))], 1, id="web"),
        pytest.param(
            "parallel_calls",
            [_calls(("Read", {"path": "a"}), ("Read", {"path": "b"})), _read("c")],
            2,
            id="two calls in one step",
        ),
        pytest.param("failed_calls_percent", [_read("a"), _run("x", fails=True)], 50, id="failing"),
        pytest.param(
            "failed_calls_percent",
            [Step("s", "agent", tool_calls=(ToolCall("c", "Read", {}),))],
            None,
            id="no results in the log",
        ),
        pytest.param(
            "longest_failure_run",
            [_run("a", fails=True), _run("b", fails=True), _run("c"), _run("d", fails=True)],
            2,
            id="failures in a row",
        ),
        pytest.param(
            "longest_silent_run",
            [
                _says(),
                _person(),
                _says(),
                _says(),
                _event("api_error"),
                _says(),
                _person(),
                _says(),
            ],
            3,
            id="the longest run without the person",
        ),
        pytest.param(
            "steps_to_first_edit", [_person(), _read("a"), _edit("a")], 2, id="first edit"
        ),
        pytest.param("first_request_words", [_person("please do it"), _person()], 3, id="request"),
        pytest.param(
            "words_per_turn",
            [_person("a b c"), _person("a"), _person("a b")],
            1.5,
            id="later turns",
        ),
        pytest.param("words_per_turn", [_person("a b c")], None, id="one turn"),
        pytest.param(
            "agent_questions",
            [_person(), _says("Which one?"), _person(), _says("Done."), _person(), _says("And?")],
            1,
            id="a question that nobody answered is none",
        ),
        pytest.param(
            "edited_turns",
            [_person(), _edit("a"), _edit("b"), _person(), _read("a"), _person(), _edit("a")],
            1,
            id="turns after edits",
        ),
        pytest.param("compactions", [_event("compaction")], 1, id="compactions"),
        pytest.param("api_errors", [_event("api_error")], 1, id="api errors"),
        pytest.param(
            "seconds_to_first_edit", [_at(0, _person()), _at(90, _edit("a"))], 90, id="time to edit"
        ),
        pytest.param("seconds_to_first_edit", [_person(), _edit("a")], None, id="no times"),
        pytest.param(
            "longest_wait_seconds",
            [_at(0, _person()), _at(40, _says()), _at(900, _person()), _at(910, _says())],
            40,
            id="the person's pause is no wait",
        ),
        pytest.param(
            "idle_gaps", [_at(0, _person()), _at(1900, _says()), _at(1901, _says())], 1, id="gaps"
        ),
        pytest.param("model_switches", [_says()], None, id="no model named"),
        pytest.param(
            "model_switches",
            [_says(model="m"), _says(model="<synthetic>"), _says(model="n"), _says(model="n")],
            1,
            id="models",
        ),
        pytest.param(
            "output_tokens_per_call",
            [
                _answer("1", Tokens(output=10), "call"),
                _answer("2", Tokens(output=30), "call"),
                _answer("3", Tokens(output=10)),
            ],
            20,
            id="one answer in two records",
        ),
        pytest.param(
            "reasoning_percent", [_answer("1", Tokens(output=40, reasoning=10))], 25, id="reasoning"
        ),
        pytest.param(
            "reasoning_percent", [_answer("1", Tokens(output=40))], None, id="reasoning not counted"
        ),
        pytest.param(
            "cached_percent", [_answer("1", Tokens(input=100, cached=80))], 80, id="cached"
        ),
        pytest.param(
            "peak_context_tokens",
            [_answer("1", Tokens(input=100)), _answer("2", Tokens(input=70))],
            100,
            id="peak",
        ),
    ],
)
def test_a_measure(name: str, steps: list[Step], value: float | None) -> None:
    assert measure_session(_session(steps))[name] == value


def test_calls_of_one_answer_are_parallel_though_the_log_has_a_record_for_each() -> None:
    steps = [replace(_read(path), api_call_id="m1") for path in ("a", "b", "c")]
    assert measure_session(_session([*steps, _read("d")]))["parallel_calls"] == 3


def test_a_call_is_slow_by_when_the_agent_goes_on() -> None:
    steps = [_at(0, _run("make")), _at(75, _says()), _at(80, _run("ls")), _at(81, _says())]
    assert measure_session(_session(steps))["slow_calls"] == 1
    waiting = [_at(0, _run("make")), _at(75, _person())]
    assert measure_session(_session(waiting))["slow_calls"] is None


@pytest.mark.parametrize(
    ("content", "cut"),
    [
        ("head\n[230 lines left out (41 to 270), 3 of them tell of errors]\ntail", 1),
        ("head\n... [120 lines truncated] ...\ntail", 1),
        ("[... omitted 12 of 40 lines ...]", 1),
        ("the transcript is truncated before it is stored", 0),
        ("all of it", 0),
    ],
)
def test_output_that_was_cut(content: str, cut: int) -> None:
    step = Step(
        "1",
        "agent",
        tool_calls=(ToolCall("c", "Bash", {"command": "make"}),),
        observations=(Observation("c", content),),
    )
    assert measure_session(_session([step]))["cut_outputs"] == cut


@pytest.mark.parametrize(
    ("name", "arguments", "action", "files"),
    [
        ("Read", {"file_path": "./a.py"}, "read", ("a.py",)),
        ("str_replace_editor", {"command": "view", "path": "/a.py"}, "read", ("/a.py",)),
        ("str_replace_editor", {"command": "create", "path": "/a.py"}, "write", ("/a.py",)),
        ("str_replace_editor", {"command": "str_replace", "path": "/a.py"}, "edit", ("/a.py",)),
        (
            "apply_patch",
            {"input": "*** Begin Patch\n*** Update File: a.py\n+x\n*** Add File: b.py\n"},
            "edit",
            ("a.py", "b.py"),
        ),
        ("shell", {"command": ["bash", "-lc", "sed -n '1,80p' src/a.rs"]}, "read", ("src/a.rs",)),
        ("bash", {"command": "cd /repo && cat a.py b.py 2>/dev/null"}, "read", ("a.py", "b.py")),
        ("bash", {"command": "cat > new.py <<'EOF'\nx = 1\nEOF"}, "write", ("new.py",)),
        ("bash", {"command": "sed -i 's/a/b/' src/a.py"}, "edit", ("src/a.py",)),
        ("bash", {"command": "make 2> log.txt"}, "run", ()),
        ("bash", {"command": "grep -rn x src"}, "search", ()),
        ("open", {"command": "open src/a.py 12"}, "read", ("src/a.py",)),
        ("edit", {"command": "edit 12:14\nx = 1\nend_of_edit"}, "edit", ()),
        ("run_ipython", {"code": "print(1)"}, "run", ()),
        ("mcp__made_up__read", {"path": "a"}, None, ()),
    ],
)
def test_what_a_call_did(
    name: str, arguments: dict[str, Any], action: str | None, files: tuple[str, ...]
) -> None:
    (call,) = view_log(_session([_calls((name, arguments))])).calls
    assert (call.action, call.files) == (action, files)


def test_a_schema_may_name_every_measure() -> None:
    session = _session([_person(), _edit("a"), _run("x", fails=True), _run("y")])
    assert set(MEASURES) <= set(LOG_RULES)
    assert LOG_RULES["edits"](session) == 1
    assert LOG_RULES["failed_calls_percent"](session) == whole_value(
        "failed_calls_percent", session
    )
    assert LOG_RULES["failed_calls_percent"](session) == 33
    assert LOG_RULES["words_per_turn"](session) is None


def test_what_a_measure_and_a_rule_both_name_is_one_quantity() -> None:
    session = _session([_run("git switch x"), _event("compaction"), _event("compaction")])
    for name in ("branch_switches", "compactions"):
        assert LOG_RULES[name](session) == whole_value(name, session)


def test_every_measure_has_a_definition_and_a_name_of_its_own() -> None:
    assert 20 <= len(MEASURES) <= 40
    definitions = [measure.definition for measure in MEASURES.values()]
    assert len(set(definitions)) == len(definitions)
    assert all(text.endswith(".") and len(text) > 20 for text in definitions)


def test_a_hostile_command_is_read_in_little_time() -> None:
    """A pattern that backtracks would not come to an end within the suite's time limit."""
    for text in (
        "cat " * 4000,
        "a/" * 9000,
        "sed -i " * 3000,
        "echo >" * 3000,
        "=a/" * 6000,
        " " * 19_000 + "x",
    ):
        assert len(view_log(_session([_run(text)])).calls) == 1
        measure_session(_session([_run(text)]))
