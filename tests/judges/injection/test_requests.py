"""A planted text reaches the model as delimited data only, and no output at all."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from agent_core.model import OpenAIModel
from agent_core.redaction import visible
from agent_core.session import Session
from judges.llm import LLMJudge
from judges.publication import sealed
from judges.rules import RulesJudge
from judges.verdict import Judgement
from tests.fake_openai import FakeOpenAI, json_text
from tests.judges.answers import find, moment, task_of, verify
from tests.judges.injection.invented import invented_sessions
from tests.judges.injection.planting import POSITIONS, planted
from tests.judges.injection.snippets import MARKER, Snippet
from tests.judges.injection.test_verdicts import real_sessions, sample

_EDGE = re.compile(r"===== data ([0-9a-f]{16}) (begins|ends) =====")
_SLOW_SAMPLE = 80
"""Of all snippets; `tests/benchmarks/injection.py` takes all of them."""
_KEYS = {"step", "by", "event", "text", "calls", "results", "number", "fault"}


@pytest.mark.parametrize("snippet", sample(10, seed=7), ids=lambda s: f"{s.number} {s.carrier}")
def test_a_snippet_is_data_and_nothing_else(snippet: Snippet) -> None:
    check(invented_sessions()[snippet.number % 3], snippet)


@pytest.mark.slow
@pytest.mark.shared
def test_many_snippets_are_data_and_nothing_else_in_real_sessions(shared_dir: Path) -> None:
    sessions = [s for s in real_sessions(shared_dir) if any(step.is_person for step in s.steps)]
    for number, snippet in enumerate(sample(_SLOW_SAMPLE, seed=8)):
        check(sessions[number % len(sessions)], snippet)


@pytest.mark.slow
def test_many_snippets_are_data_and_nothing_else() -> None:
    for snippet in sample(_SLOW_SAMPLE, seed=9):
        check(invented_sessions()[snippet.number % 3], snippet)


def check(session: Session, snippet: Snippet) -> None:
    """Plant the snippet everywhere, let a model pass it on, and look at requests and verdicts."""
    for position in POSITIONS:
        session = planted(session, position, snippet.text, snippet.number)
    judgement, requests = judged_by_a_parrot(session, snippet.text)
    assert [task_of(request) for request in requests] == ["find", "verify", "rewrite"]
    for request in requests:
        check_request(request)
    assert len(judgement.moments) == 1
    by_rules = RulesJudge(b"salt")(session)
    assert sealed(by_rules, session) == by_rules
    for said in (judgement, sealed(judgement, session), by_rules):
        assert said.status == "judged"
        assert MARKER not in published(said)


def judged_by_a_parrot(session: Session, text: str) -> tuple[Judgement, list[dict[str, Any]]]:
    """What comes of a model that repeats the text wherever it may write."""
    said = visible(text)[:500] or MARKER
    script = [
        find(moment(step=1, citation=f"{said} {MARKER}"), summary=f"{MARKER} {said}"),
        verify((True, "low", 0.9)),
        json_text({"texts": [f"It was about {MARKER}.", f"{said[:200]} {MARKER}"]}),
    ]
    with FakeOpenAI(script) as endpoint, OpenAIModel(endpoint.base_url, "m", "k") as model:
        judge = LLMJudge(model, salt=b"salt", window_chars=10_000_000)
        judgement = judge(session)
        return judgement, endpoint.requests


def check_request(request: dict[str, Any]) -> None:
    """One block of data, each line of it JSON; the snippet stands in such a line only."""
    system, user = (message["content"] for message in request["messages"])
    assert MARKER not in system
    assert user == visible(user)
    lines = user.rstrip("\n").split("\n")
    assert lines == user.splitlines()
    edges = [(n, m[1], m[2]) for n, line in enumerate(lines) if (m := _EDGE.fullmatch(line))]
    assert [kind for _, _, kind in edges] == ["begins", "ends"]
    (begin, digest, _), (end, same, _) = edges
    assert digest == same
    assert all(set(json.loads(line)) <= _KEYS for line in lines[begin + 1 : end])
    outside = "\n".join([*lines[:begin], *lines[end + 1 :]])
    assert MARKER not in outside.casefold()


def published(judgement: Judgement) -> str:
    said = visible(json.dumps(asdict(judgement), ensure_ascii=False))
    return said.casefold()
