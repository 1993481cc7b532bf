"""Tokens a session by judge and pass, what a cached prefix covers, and the error of a token."""

from bisect import bisect, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agent_core.session import Session, Step
from judges.rules import RulesJudge
from pipelines.sources import find_files, read_file
from tests.benchmarks.model_requests import BYTES_PER_TOKEN, Sent, requests_of

LEAST_CACHED = 1024
"""Tokens of a common prefix from which on endpoints usually charge the cached price."""
_PASSES = ("find", "verify", "rewrite")
_MIN_TOKENS = 200
_WHOLE_TEXT_FORMATS = ("mini_swe_agent", "swe_agent", "openai_chat")
"""Formats whose logs hold every character that was sent, so that tokens can be set against it."""


class _Cost(NamedTuple):
    tokens: Mapping[str, int]
    cached: int
    """Of find and verify, in a prefix that an earlier request has."""
    cached_across: int
    """Of those, in what all requests share: in other sessions' requests."""


def request_figures(logs: Path) -> dict[str, Any]:
    """Every session below `logs`, in order of key: what is sent by pass, and what is cached."""
    judge = RulesJudge(b"benchmark")
    seen = _Prefixes()
    costs: list[_Cost] = []
    errors: dict[str, list[float]] = defaultdict(list)
    for session in _sessions(logs):
        errors[session.format] += _bytes_a_token(session)
        costs.append(_cost(requests_of(session, judge(session)), seen))
    return _figures(costs) | {"bytes_a_token": _token_error(errors)}


def request_table(figures: Mapping[str, Any]) -> str:
    """The figures for a terminal."""
    lines = [
        f"{figures['sessions']} sessions; tokens sent a session, {BYTES_PER_TOKEN} bytes a token",
        f"{'':<34}{'median':>10}{'mean':>10}{'p90':>10}{'total':>13}",
    ]
    for name, row in figures["tokens"].items():
        lines.append(f"{name:<34}" + "".join(f"{row[c]:>10,.0f}" for c in ("median", "mean", "p90"))
                     + f"{row['total']:>13,.0f}")  # fmt: skip
    lines.append(
        f"of find and verify {figures['cached_share']:.1%} stand in the prefix of an earlier "
        f"request (at least {LEAST_CACHED} tokens); {figures['cached_across_share']:.1%} in that "
        "of another session's"
    )
    lines += [
        f"bytes a token in {name} logs: {row['median']:.2f}, 80 % of {row['steps']} steps between "
        f"{row['p10']:.2f} and {row['p90']:.2f}"
        for name, row in figures["bytes_a_token"].items()
    ]
    return "\n".join(lines)


def _sessions(logs: Path) -> list[Session]:
    """Each session once; a copy of another file's is the same to a model."""
    found: dict[str, Session] = {}
    for path in find_files([logs]):
        for session in read_file(path).sessions:
            found.setdefault(session.key, session)
    return [found[key] for key in sorted(found)]


def _cost(sent: Sequence[Sent], seen: "_Prefixes") -> _Cost:
    before = seen.copy()
    tokens = dict.fromkeys(_PASSES, 0)
    cached = across = 0
    for request in sent:
        tokens[request.kind] += request.tokens
        if request.kind != "rewrite":
            cached += _cacheable(seen.longest(request.text))
            across += _cacheable(before.longest(request.text))
            seen.add(request.text)
    return _Cost(tokens, cached, across)


def _cacheable(prefix: str) -> int:
    tokens = len(prefix.encode("utf-8", "replace")) // BYTES_PER_TOKEN
    return tokens if tokens >= LEAST_CACHED else 0


class _Prefixes:
    """Texts sent so far; the longest common prefix is with a neighbour in their order."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._texts = list(texts)

    def copy(self) -> "_Prefixes":
        return _Prefixes(self._texts)

    def add(self, text: str) -> None:
        insort(self._texts, text)

    def longest(self, text: str) -> str:
        place = bisect(self._texts, text)
        beside = self._texts[max(0, place - 1) : place + 1]
        return max((text[: _common(text, other)] for other in beside), key=len, default="")


def _common(a: str, b: str) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    return low


def _figures(costs: Sequence[_Cost]) -> dict[str, Any]:
    find, verify, rewrite = (np.array([cost.tokens[p] for cost in costs]) for p in _PASSES)
    rows = {
        "rules": find * 0,
        "model: find": find,
        "model: verify": verify,
        "model: find and verify": find + verify,
        "rewriting everything (the most)": rewrite,
    }
    both = float((find + verify).sum())
    return {
        "sessions": len(costs),
        "tokens": {name: _row(values) for name, values in rows.items()},
        "cached_share": sum(cost.cached for cost in costs) / both,
        "cached_across_share": sum(cost.cached_across for cost in costs) / both,
    }


def _row(values: np.ndarray) -> dict[str, float]:
    return {
        "median": float(np.median(values)),
        "mean": float(values.mean()),
        "p90": float(np.quantile(values, 0.9)),
        "total": float(values.sum()),
    }


def _bytes_a_token(session: Session) -> Iterator[float]:
    """What stands between two calls of the agent, against the tokens that its prompt grew by."""
    calls = [n for n, step in enumerate(session.steps) if step.tokens and step.tokens.input]
    for a, b in pairwise(calls):
        first, second = session.steps[a].tokens, session.steps[b].tokens
        grown = (second.input if second else 0) - (first.input if first else 0)
        if grown >= _MIN_TOKENS:
            yield sum(_size(step) for step in session.steps[a:b]) / grown


def _size(step: Step) -> int:
    texts = [step.text, *(found.content for found in step.observations)]
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def _token_error(errors: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    found = {name: np.array(errors.get(name, [])) for name in _WHOLE_TEXT_FORMATS}
    return {
        name: {
            "steps": len(values),
            "median": float(np.median(values)),
            "p10": float(np.quantile(values, 0.1)),
            "p90": float(np.quantile(values, 0.9)),
        }
        for name, values in found.items()
        if len(values)
    }
