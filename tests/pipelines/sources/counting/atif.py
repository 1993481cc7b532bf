"""ATIF documents.

Choices: a result failed by the flag that its converter kept under `extra`, else by what its text
states. Interrupts that a converter wrote as user steps are no turns. What a converter lost (that
a prompt came through an SDK, that a text was marked as the machine's) cannot be told here. Tokens
are those of the document's totals, which hold calls that the converter gave to no step; reasoning
stands in the words of each provider beside them or, where it does not, beside each step's.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number
from tests.pipelines.sources.counting.texts import is_of_machine, states_failure, text_of_content


def count(paths: Iterable[Path]) -> Counts:
    """The figures of ATIF documents."""
    trajectories = {
        str(whole.get("session_id") or path): whole
        for path in logs(paths)
        for whole in [document(path)]
        if isinstance(whole, dict) and str(whole.get("schema_version")).startswith("ATIF-")
    }
    found = [count_one(trajectory) for trajectory in trajectories.values()]
    return Counts(*map(sum, zip(*found, strict=True))) if found else Counts()


def count_one(trajectory: dict[str, Any]) -> Counts:
    """The figures of one document."""
    steps = [step for step in trajectory["steps"] if not step.get("is_copied_context")]
    said = [text_of_content(step["message"]) for step in steps if step["source"] == "user"]
    final = trajectory.get("final_metrics") or {}
    return Counts(
        1,
        sum(not is_of_machine(text) for text in said),
        sum(len(step.get("tool_calls") or []) for step in steps),
        sum(_failed(result) for step in steps for result in _results(step)),
        number(final.get("total_prompt_tokens")),
        number(final.get("total_cached_tokens")),
        number(final.get("total_completion_tokens")),
        _reasoning(final) or sum(_reasoning(step.get("metrics") or {}) for step in steps),
    )


def _reasoning(metrics: dict[str, Any]) -> int:
    extra = metrics.get("extra") or {}
    details = extra.get("output_tokens_details") or {}
    stated = [extra.get("reasoning_output_tokens"), extra.get("thoughts_tokens")]
    return max(number(one) for one in [*stated, details.get("thinking_tokens")])


def _results(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (step.get("observation") or {}).get("results") or []


def _failed(result: dict[str, Any]) -> bool:
    metadata = (result.get("extra") or {}).get("tool_result_metadata")
    if isinstance(metadata, dict):
        return bool(metadata.get("is_error") or metadata.get("tool_result_is_error"))
    return states_failure(text_of_content(result.get("content")))
