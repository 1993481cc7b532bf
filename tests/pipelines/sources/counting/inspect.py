"""Inspect evaluation logs: each sample is one autonomous run.

Choices: a sample is known by its task's id, its own id and its epoch, so that a copy of a file
adds nothing. Tokens are those of the model events up to the first scorer's: a grader's calls are
none of the agent. A document that
holds the events of a run and nothing else of it (test data) is a run too; its calls are the
events of tools.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.pipelines.sources.counting.counts import Counts
from tests.pipelines.sources.counting.files import document, logs, number


def count(paths: Iterable[Path]) -> Counts:
    """The figures of Inspect."""
    samples = {key: sample for path in logs(paths) for key, sample in _samples(path)}
    messages = [one for sample in samples.values() for one in sample.get("messages") or []]
    bare = [one for one in samples.values() if "messages" not in one]
    usage = [
        (event.get("output") or {}).get("usage") or {}
        for sample in samples.values()
        for event in _before_scoring(sample["events"])
        if event["event"] == "model"
    ]

    def total(*keys: str) -> int:
        return sum(number(one.get(key)) for one in usage for key in keys)

    return Counts(
        len(samples),
        0,
        sum(len(one.get("tool_calls") or []) for one in messages)
        + sum(event["event"] == "tool" for one in bare for event in one["events"]),
        sum(bool(one.get("error")) for one in messages if one["role"] == "tool"),
        total("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write"),
        total("input_tokens_cache_read"),
        total("output_tokens"),
        total("reasoning_tokens"),
    )


def _before_scoring(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return takewhile(lambda event: not str(event.get("type")).startswith("scorer"), events)


def _samples(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if not zipfile.is_zipfile(path):
        yield str(path), document(path)
        return
    with zipfile.ZipFile(path) as archive:
        task = json.loads(archive.read("header.json"))["eval"]["task_id"]
        for name in archive.namelist():
            if name.startswith("samples/"):
                sample = json.loads(archive.read(name))
                yield f"{task} {sample['id']} {sample['epoch']}", sample
