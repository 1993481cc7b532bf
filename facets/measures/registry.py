"""All measures by name, and a session's values of them."""

from collections.abc import Mapping

from agent_core.session import Session
from facets.measures import commands, course, files, model_use
from facets.measures.measure import Measure, measured
from facets.measures.view import view_log

MEASURES_VERSION = 1
"""Another: what was measured before is measured anew."""

_LISTED = (
    measured(commands.branch_switches),
    measured(files.edits, evidence="agent_edited"),
    measured(files.files_edited),
    measured(files.edits_of_one_file),
    measured(files.rewrites),
    measured(files.blind_edits),
    measured(files.failed_edits, evidence="error_repeated"),
    measured(files.repeated_reads),
    measured(files.rereads_after_compaction, evidence="rereads"),
    measured(files.searches),
    measured(files.looks_before_first_edit),
    measured(commands.repeated_commands),
    measured(commands.test_runs),
    measured(commands.test_runs_after_edits),
    measured(commands.untested_edits),
    measured(commands.undo_commands),
    measured(commands.subagents),
    measured(commands.plan_updates),
    measured(commands.web_fetches),
    measured(commands.parallel_calls),
    measured(commands.cut_outputs),
    measured(commands.failed_calls_percent, "percent", evidence="many_errors"),
    measured(commands.longest_failure_run, evidence="error_run"),
    measured(course.longest_silent_run),
    measured(course.steps_to_first_edit),
    measured(course.first_request_words, "words"),
    measured(course.words_per_turn, "words", evidence="bare_command"),
    measured(course.agent_questions, evidence="agent_asks"),
    measured(course.edited_turns, evidence="agent_edited"),
    measured(course.compactions, evidence="compaction"),
    measured(course.api_errors),
    measured(course.seconds_to_first_edit, "seconds"),
    measured(course.longest_wait_seconds, "seconds"),
    measured(course.idle_gaps),
    measured(course.slow_calls),
    measured(model_use.model_switches),
    measured(model_use.output_tokens_per_call, "tokens"),
    measured(model_use.reasoning_percent, "percent"),
    measured(model_use.cached_percent, "percent"),
    measured(model_use.peak_context_tokens, "tokens"),
)
MEASURES: Mapping[str, Measure] = {measure.name: measure for measure in _LISTED}


def measure_session(session: Session) -> dict[str, float | None]:
    """Every measure of a session, in one reading; None where its log does not show it."""
    view = view_log(session)
    return {
        name: None if (value := measure.of(view)) is None else float(value)
        for name, measure in MEASURES.items()
    }


def whole_value(name: str, session: Session) -> int | None:
    """One measure, to the nearest whole number: what a count facet holds."""
    value = MEASURES[name].of(view_log(session))
    return None if value is None else round(value)
