"""What a patch task says: built from closed words, figures and checked names, never from a session.

The agent reads a task as its instruction. So a tool, class, type or release that a log names goes
in only where it is a plain name; anything else is left out, whatever it says.
"""

import re
from collections.abc import Iterable

import polars as pl

from judges.publication import is_closed
from pipelines.breach_rows import BreachRow
from pipelines.config import Config

EVIDENCE_ROWS = 5
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+/-]{0,199}")
_COUNTED = re.compile(r" \(\d+ sessions?\)$")

ACCEPTANCE = (
    "recorded calls that failed now serve, or fail with a message that says what to do; "
    "recorded calls that served give the same result; the unit tests pass; only prompts, tools "
    "and playbooks are touched"
)


def plain_name(name: str | None, instead: str) -> str:
    """A name that cannot be read as a sentence; else `instead`."""
    return name if name is not None and _NAME.fullmatch(name) else instead


def plain_names(names: Iterable[str]) -> list[str]:
    """Those that are plain names, sorted, each once; recorded calls have no other ids."""
    return sorted({name for name in names if _NAME.fullmatch(name)})


def title(found: BreachRow) -> str:
    """One line; the pull request carries it."""
    if found.tool and found.error_class:
        failure = plain_name(found.error_class, "other").replace("_", " ")
        return f"{plain_name(found.tool, 'a tool')}: {failure} errors hurt sessions"
    return f"{_kind(found)} rose with release {_release(found)}"


def statistic(found: BreachRow) -> str:
    """The figures of the breach in one sentence."""
    before = "in the days before" if found.versus == "earlier days" else "before"
    return (
        f"{found.affected} of {found.sessions} sessions of release {_release(found)} show it "
        f"({found.rate:.0%}, 95 % interval {found.rate_low:.0%} to {found.rate_high:.0%}); "
        f"{before}, {found.baseline_affected} of {found.baseline_sessions} did "
        f"({found.baseline_rate:.0%})"
    )


def beginning(found: BreachRow) -> list[str]:
    """When it began, where the figures tell; at most one sentence."""
    if found.change_probability is None or found.change_day is None:
        return []
    release = plain_name(found.change_release, "")
    where = f"with release {release}" if release else f"on {found.change_day}"
    return [f"the rate most probably rose {where} (probability {found.change_probability:.0%})"]


def suspected_cause(found: BreachRow) -> str:
    """Where a repair would begin to look."""
    if found.tool and found.error_class:
        failure = plain_name(found.error_class, "other").replace("_", " ")
        return (
            f"the limits, messages or description of the tool {plain_name(found.tool, 'it uses')}: "
            f"its calls end in {failure} errors that sessions before did not see"
        )
    return f"what release {_release(found)} changed in prompts, tools or playbooks"


def common_descriptors(moments: pl.DataFrame, config: Config) -> list[str]:
    """What was seen most often; in team mode only what enough sessions and users share.

    `moments` has session_id, user_id and descriptor. Descriptors and not citations: of a closed
    vocabulary, they tell the agent nothing that a session, or a model that read it, could have
    made up.
    """
    seen = moments.group_by("descriptor").agg(
        sessions=pl.col("session_id").n_unique(), users=pl.col("user_id").fill_null("").n_unique()
    )
    if config.mode == "team":
        enough = pl.col("sessions") >= config.min_sessions, pl.col("users") >= config.min_users
        seen = seen.filter(*enough)
    commonest = seen.sort("sessions", "descriptor", descending=[True, False]).head(EVIDENCE_ROWS)
    return [
        f"{descriptor} ({number} session{'s' if number > 1 else ''})"
        for descriptor, number in commonest.select("descriptor", "sessions").iter_rows()
    ]


def meaning(tool: str | None, error_class: str | None, evidence: Iterable[str]) -> str:
    """What is embedded of a breach or task: names in words and what was seen, without figures.

    Of `evidence` the lines that count sessions, which `common_descriptors` made.
    """
    seen = [_COUNTED.sub("", line) for line in evidence if _COUNTED.search(line)]
    names = [name.replace("_", " ") for name in (tool, error_class) if name]
    return ". ".join([*([": ".join(names)] if names else []), *seen])


def closed_words(text: str | None, tools: frozenset[str] = frozenset()) -> str | None:
    """The text where every word of it is one of the templates'; else None."""
    return text if text and is_closed(text, tools) else None


def _kind(found: BreachRow) -> str:
    cluster = closed_words(found.cluster_name)
    return f"sessions with: {cluster}" if cluster else found.type.replace("_", " ")


def _release(found: BreachRow) -> str:
    return plain_name(found.release, "that is newest")
