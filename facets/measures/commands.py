"""Measures of commands and of other tools."""

import re
from collections import Counter
from functools import cache, lru_cache

from facets.log_reading import count_branch_switches, vocabulary
from facets.measures.view import LogView

_CUT_WORDS = ("truncated", "omitted", "elided", "left out", "too large", "too long")
_CUT = re.compile(
    r"\d+ (?:lines|characters|chars|tokens|bytes)(?: of [^\n]{0,20})? "
    r"(?:truncated|omitted|elided|left out)|omitted \d+ of \d+ lines|<elided_chars>"
    r"|truncated due to length|CONTENT TRUNCATED|[Rr]esults are truncated"
    r"|[Oo]utput (?:was |has been |is )?(?:too large|too long|truncated)"
)


def branch_switches(view: LogView) -> int:
    """Times that the working branch changed."""
    return count_branch_switches(view.session)


def repeated_commands(view: LogView) -> int:
    """Times that a command was run again with no file edited since it was run last."""
    fresh: set[str] = set()
    again = 0
    for call in view.calls:
        if call.changed:
            fresh.clear()
        elif call.command:
            again += call.command in fresh
            fresh.add(call.command)
    return again


def test_runs(view: LogView) -> int:
    """Commands that ran tests."""
    return sum(_runs_tests(call.command) for call in view.calls)


def test_runs_after_edits(view: LogView) -> int:
    """Commands that ran tests with a file edited since the tests were run last."""
    runs, edited = 0, False
    for call in view.calls:
        if call.changed:
            edited = True
        elif edited and _runs_tests(call.command):
            runs, edited = runs + 1, False
    return runs


def untested_edits(view: LogView) -> int | None:
    """Edits after the last command that ran tests; unknown where nothing was edited."""
    if not any(call.changed for call in view.calls):
        return None
    untested = 0
    for call in view.calls:
        untested = 0 if _runs_tests(call.command) else untested + call.changed
    return untested


def undo_commands(view: LogView) -> int:
    """Commands that took changes back: git checkout of files, reset, restore, revert, stash."""
    return sum(_pattern("undo").search(call.command) is not None for call in view.calls)


def subagents(view: LogView) -> int:
    """Times that the agent gave work to another agent."""
    return sum(call.action == "delegate" for call in view.calls)


def plan_updates(view: LogView) -> int:
    """Times that the agent wrote or changed its plan."""
    return sum(call.action == "plan" for call in view.calls)


def web_fetches(view: LogView) -> int:
    """Searches of the web and pages fetched from it."""
    return sum(call.action == "web" for call in view.calls)


def parallel_calls(view: LogView) -> int:
    """Calls that were made beside another in one answer of the model."""
    answers = Counter(_answer(view, call.step) for call in view.calls)
    return sum(number for number in answers.values() if number > 1)


def cut_outputs(view: LogView) -> int:
    """Results that a tool cut short and said so."""
    return sum(_is_cut(call.result.seen.content) for call in view.calls if call.result)


def failed_calls_percent(view: LogView) -> float | None:
    """Share of the calls with a result that came back with an error, in percent."""
    answered = [call for call in view.calls if call.result is not None]
    return 100 * sum(call.failed for call in answered) / len(answered) if answered else None


def longest_failure_run(view: LogView) -> int:
    """Most calls in a row that came back with an error."""
    longest = run = 0
    for call in view.calls:
        run = run + 1 if call.failed else 0
        longest = max(longest, run)
    return longest


@lru_cache(maxsize=1024)
def _runs_tests(command: str) -> bool:
    return bool(command) and _pattern("tests").search(command) is not None


def _answer(view: LogView, step: int) -> str:
    """What a step's call was made in: an answer may be several records of the log."""
    return view.steps[step].api_call_id or view.steps[step].source_ref


def _is_cut(content: str) -> bool:
    # Looking for plain words is far quicker than the pattern, and mostly in vain.
    return any(word in content for word in _CUT_WORDS) and _CUT.search(content) is not None


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    listed = vocabulary()["commands"][kind]
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(listed)})(?![\w./-])", re.IGNORECASE)
