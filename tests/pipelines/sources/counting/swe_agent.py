"""SWE-agent: each file is one run, whatever its task.

Choices: a step of the trajectory with an action is a call; a file that holds only a history
counts the tool calls of its assistant messages. There is no flag, so a result failed where it
begins as an error message, or says that an edit was not made, that a file is missing, that the
time ran out or that the flag of a challenge is wrong.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number
from tests.pipelines.sources.counting.texts import states_failure, text_of_content

_FAILED = re.compile(
    r"\s*Your proposed edit has introduced new syntax error"
    r"|\s*Wrong flag!"
    r"|[^\n]*No such file"
    r"|.*^EXECUTION TIMED OUT",
    re.DOTALL | re.MULTILINE,
)


def count(paths: Iterable[Path]) -> Counts:
    """The figures of SWE-agent."""
    runs = [
        whole
        for path in logs(paths)
        for whole in [document(path)]
        if isinstance(whole, dict) and "history" in whole
    ]
    stats = [(run.get("info") or {}).get("model_stats") or {} for run in runs]
    return Counts(
        sessions=len(runs),
        tool_calls=sum(map(_calls, runs)),
        tool_errors=sum(_failed(text) for run in runs for text in _observations(run)),
        input_tokens=sum(number(one.get("tokens_sent")) for one in stats),
        output_tokens=sum(number(one.get("tokens_received")) for one in stats),
    )


def _calls(run: dict[str, Any]) -> int:
    if "trajectory" in run:
        return sum(bool((step.get("action") or "").strip()) for step in run["trajectory"])
    return sum(len(one.get("tool_calls") or []) for one in run["history"])


def _observations(run: dict[str, Any]) -> list[str]:
    if "trajectory" in run:
        return [str(step.get("observation") or "") for step in run["trajectory"]]
    return [text_of_content(one["content"]) for one in run["history"] if one["role"] == "tool"]


def _failed(text: str) -> bool:
    return _FAILED.match(text) is not None or states_failure(text)
