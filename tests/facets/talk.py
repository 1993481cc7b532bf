"""Invented sessions, said turn by turn, and places for what they ask about."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent_core.session import Observation, Session, Step, ToolCall
from facets.region import Vectors
from facets.topics import topic_groups

DIMENSIONS = 64


def person(text: str) -> Step:
    return Step(source_ref="", source="user", text=text, is_person=True)


def agent(text: str) -> Step:
    return Step(source_ref="", source="agent", text=text)


def called(tool: str, result: str = "ok", error_class: str | None = None) -> Step:
    """A call with its result; with `error_class` it failed."""
    failed = error_class is not None
    seen = Observation("c1", result, failed, error_class, result if failed else None)
    call = ToolCall("c1", tool, {})
    return Step(source_ref="", source="agent", tool_calls=(call,), observations=(seen,))


def talk(*steps: Step, key: str = "s1", user: str | None = None) -> Session:
    """A session of these steps, referred to as `1`, `2`, ..."""
    numbered = [replace(step, source_ref=str(n)) for n, step in enumerate(steps, start=1)]
    return Session(key, "atif", key, "logs/a.json", tuple(numbered), user=user)


def places(topics: Sequence[str], spread: float = 0.2) -> Vectors:
    """Unit rows: a direction for each topic, near that of its group, and noise for each item."""
    rows = []
    for number, topic in enumerate(topics):
        own = np.random.default_rng(list(topic_groups()).index(topic)).normal(size=DIMENSIONS)
        group = sorted(set(topic_groups().values())).index(topic_groups()[topic])
        shared = np.random.default_rng(1_000 + group).normal(size=DIMENSIONS)
        noise = np.random.default_rng(5_000 + number).normal(size=DIMENSIONS)
        rows.append(own + 0.7 * shared + spread * noise)
    found = np.array(rows).reshape(-1, DIMENSIONS)
    unit: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit
