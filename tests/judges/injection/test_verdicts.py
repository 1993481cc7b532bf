"""No planted text changes a verdict of the rules judge."""

import random
import re
from functools import cache
from pathlib import Path

import pytest

from agent_core.session import Session
from judges.rules import RulesJudge
from judges.verdict import Judgement
from pipelines.sources import read_file
from tests.judges.injection.invented import invented_sessions
from tests.judges.injection.planting import POSITIONS
from tests.judges.injection.snippets import MARKER, Snippet, distinct, snippets
from tests.judges.injection.verdicts import is_changed

_SAMPLE = 15
_REAL_SAMPLE = 200
"""Snippets in each position; `tests/benchmarks/injection.py` takes all of them."""
_REAL_SESSIONS = 60
_MOST_BYTES = 400_000
JUDGE = RulesJudge(b"salt")


def sample(count: int, seed: int) -> list[Snippet]:
    return random.Random(seed).sample(snippets(), count)


def changed(position: str, chosen: list[Snippet], sessions: list[Session]) -> list[str]:
    """The snippets that changed a verdict, each on one session that has the position."""
    has_position, _ = POSITIONS[position]
    fitting = [session for session in sessions if any(map(has_position, session.steps))]
    return [
        f"{snippet.kind} ({snippet.carrier}): {snippet.text[:60]!r}"
        for number, snippet in enumerate(chosen)
        if is_changed(JUDGE, fitting[number % len(fitting)], position, snippet)
    ]


def test_the_suite_is_large_and_varied() -> None:
    assert len(distinct()) >= 200
    assert len(snippets()) >= 400
    assert len({snippet.text for snippet in snippets()}) == len(snippets())
    assert len({snippet.language for snippet in snippets()}) > 20
    assert len({snippet.kind for snippet in snippets()}) >= 15


def test_the_measure_sees_a_change() -> None:
    """A person who is angry in their own words is heard."""
    angry = Snippet("", "en", "plain", f"No, wrong!! It is still broken, undo it. {MARKER}", 1)
    assert is_changed(JUDGE, invented_sessions()[2], "in the person's prose", angry)


def test_a_text_of_no_meaning_excuses_own_words_only() -> None:
    session, judge = invented_sessions()[0], _MovedBySentences()
    assert judge(session).status == "judged"
    assert {p for p in POSITIONS if not is_changed(judge, session, p, snippets()[0])} == {
        "agent text",
        "agent reasoning",
        "pasted by the person",
        "quoted by the person",
        "in the person's prose",
    }


class _MovedBySentences:
    """A judge that has no verdict on a session with twelve words in a row, whatever they say."""

    identity = JUDGE.identity

    def __call__(self, session: Session) -> Judgement:
        is_long = re.search(r"(\w+ ){11}\w+", repr(session.steps))
        return Judgement(session.key, self.identity, "unscored" if is_long else "judged")


@pytest.mark.parametrize("position", POSITIONS)
def test_a_sample_changes_no_verdict(position: str) -> None:
    assert changed(position, sample(_SAMPLE, seed=4), invented_sessions()) == []


@pytest.mark.slow
@pytest.mark.parametrize("position", POSITIONS)
def test_no_snippet_changes_a_verdict_on_an_invented_session(position: str) -> None:
    """Every snippet once; the sessions take turns."""
    assert changed(position, list(snippets()), invented_sessions()) == []


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("position", POSITIONS)
def test_no_snippet_changes_a_verdict_on_a_real_session(position: str, shared_dir: Path) -> None:
    """Others in each position, so that nearly all stand somewhere in a real session."""
    chosen = sample(_REAL_SAMPLE, seed=list(POSITIONS).index(position))
    assert changed(position, chosen, real_sessions(shared_dir)) == []


@cache
def real_sessions(shared: Path) -> list[Session]:
    """Sessions of the real logs, one a file, of all formats that the seeded order meets."""
    paths = sorted(path for path in (shared / "logs").rglob("*") if _is_log(path))
    random.Random(4).shuffle(paths)
    found: list[Session] = []
    for path in paths:
        found += [s for s in read_file(path).sessions if 4 < len(s.steps) < 150][:1]
        if len(found) == _REAL_SESSIONS:
            break
    return found


def _is_log(path: Path) -> bool:
    suffixes = {".jsonl", ".json", ".gz", ".traj"}
    return path.is_file() and path.suffix in suffixes and path.stat().st_size < _MOST_BYTES
