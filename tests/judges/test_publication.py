"""The edge that every judgement passes before it is kept."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core.session import Session
from judges.publication import WITHHELD, is_closed, published_evidence, published_words, sealed
from judges.rules import RulesJudge
from judges.rules.scoring import shipped_weights
from judges.verdict import JudgeIdentity, Judgement, Moment, TurnScore
from tests.judges.build import agent, edited, event, person, ran, session

NAME = "Quibbleworth"
JUDGED = replace(
    session(
        person(f"Please add a limit to the {NAME} download."),
        agent("I have added it, all tests pass.", edited("a.py"), ran("pytest", "timeout")),
        person("No, that is wrong, it still fails with the same error."),
        agent("I looked again.", ran("ls", "timeout"), ran("ls", "timeout"), ran("ls", "timeout")),
        event("interrupt"),
        person("undo it, then we are done, the purple kettle sings at midnight"),
    ),
    user="mango",
    project="/home/mango/velvet-turnip",
)
MOMENT = Moment("friction", "correction", "low", 0.9, "s3", "s3", "after the agent failed", "Late.")


@pytest.mark.parametrize("module", ["wording.py", "vocabulary.py"])
def test_the_words_of_every_template_are_listed(module: str, repository: Path) -> None:
    """A new phrase in the templates needs its words in published_words.txt."""
    tree = ast.parse((repository / "judges" / "rules" / module).read_text(encoding="utf-8"))
    phrases = [text for text in _texts(tree) if " " in text.strip()]
    assert len(phrases) > 15
    assert [phrase for phrase in phrases if not is_closed(phrase)] == []


def test_what_the_rules_say_is_kept_as_it_is() -> None:
    judged = RulesJudge(b"salt")(JUDGED)
    assert len(judged.moments) > 1
    assert sealed(judged, JUDGED) == judged


def test_evidence_is_what_is_weighed() -> None:
    weighed = set(shipped_weights().friction.weights) | set(shipped_weights().delight.weights)
    assert weighed | {"model"} <= published_evidence()
    assert all(re.fullmatch(r"[a-z_]+", name) for name in published_evidence())


def test_the_published_words_are_few_and_plain() -> None:
    assert len(published_words()) < 300
    assert all(re.fullmatch(r"[a-z']+", word) for word in published_words())


def test_every_text_of_a_hostile_judge_is_replaced() -> None:
    moment = Moment(
        "friction", "correction", "low", 0.9, "s3", "s3", NAME, NAME, NAME, NAME, NAME, (NAME,)
    )  # fmt: skip
    template = "fter the agent used tools, something held the person up, in the session"
    facets = {"intent": NAME, "outcome": ["success", NAME], NAME: 1, "turns": 3, "key": 10**12}
    said = judgement(summary=NAME, moments=(moment,), facets=facets, reason=NAME)
    assert sealed(said, JUDGED) == judgement(
        summary="A session.",
        moments=(
            Moment(
                polarity="friction",
                type="correction",
                severity="low",
                confidence=0.9,
                source_ref="s3",
                turn_ref="s3",
                descriptor=f"a{template}",
                citation=f"A{template}.",
                tool="external",
                error_class="other",
            ),
        ),
        facets={"intent": None, "outcome": ["success"], "turns": 3, "key": None},
    )


@pytest.mark.parametrize(
    ("judge", "citation", "is_kept"),
    [
        ("llm", "The person was waiting for the second attempt.", True),
        ("llm", "The kettle at midnight was purple.", True),
        ("llm", "The purple kettle sings at midnight.", False),
        ("llm", "It was a session of a mango.", False),
        ("llm", "It was a session about a velvet thing.", False),
        ("llm", "It still fails with the same error.", False),
        ("rules", "It still fails with the same error.", False),
        ("another", f"{NAME} was waiting.", False),
        ("rules", f"{NAME} was waiting.", False),
        ("rules", "The person reported a failure.", True),
        ("llm", "", True),
    ],
)
def test_a_citation_is_kept_or_replaced(judge: str, citation: str, is_kept: bool) -> None:
    said = judgement(judge, moments=(replace(MOMENT, citation=citation),))
    kept = sealed(said, JUDGED).moments[0].citation
    assert kept == (citation if is_kept else "After the agent failed.")


# Until when a batch may run is noted after the seal, by the pass that waits for it.
_OF_BATCHES = (
    "the batch held no answer to the request",
    "the batch expired before it was answered",
    "the batch was cancelled before it was answered",
    "the batch failed: no code",
    "the batch did not end in time",
    "the batch is at another endpoint",
    "the endpoint does not know the batch any more",
    "the batch failed: token_limit_exceeded",
)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("purged", "purged"),
        ("no steps of its own", "no steps of its own"),
        ("model answer: bad_json", "model answer: bad_json"),
        ("model call failed: refused", "model call failed: refused"),
        (
            "model call failed: no usable answer came",
            "model call failed: no usable answer came",
        ),
        ("judge failed: ZeroDivisionError", "judge failed: ZeroDivisionError"),
        (
            "the judge failed: JSONDecodeError in _judged line 42",
            "the judge failed: JSONDecodeError in _judged line 42",
        ),
        ("judge failed: QuibbleworthError", WITHHELD),
        ("judge failed: ValueError: invalid literal for int(): 'Quibbleworth'", WITHHELD),
        *((reason, reason) for reason in _OF_BATCHES),
        ("the batch failed: Quibbleworth", WITHHELD),
        ("Conversion Error: Could not convert string 'x' to INT32", WITHHELD),
        (None, None),
    ],
)
def test_a_reason_is_in_plain_words(reason: str | None, kept: str | None) -> None:
    said = judgement(status="unscored", reason=reason, summary=NAME, moments=(MOMENT,))
    assert sealed(said, JUDGED) == judgement(status="unscored", reason=kept, turns=(), facets=None)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"type": "betrayal"}, "the judge left the rubric"),
        ({"polarity": "envy"}, "the judge left the rubric"),
        ({"severity": NAME}, "the judge left the rubric"),
        ({"polarity": "delight"}, "the judge left the rubric"),
        ({"source_ref": "s99"}, "the judge points at a step that does not exist"),
        ({"turn_ref": NAME}, "the judge points at a step that does not exist"),
    ],
)
def test_a_verdict_that_fits_nothing_is_none(changed: dict[str, Any], reason: str) -> None:
    said = judgement(moments=(replace(MOMENT, **changed),))
    kept = sealed(said, JUDGED)
    assert (kept.status, kept.reason, kept.moments) == ("unscored", reason, ())


def test_a_score_for_a_turn_that_does_not_exist_is_none() -> None:
    said = judgement(turns=(TurnScore("s98", 1, 0.5, 0.5),))
    assert sealed(said, JUDGED).reason == "the judge points at a step that does not exist"


def test_the_verdict_on_another_session_is_none() -> None:
    other: Session = replace(JUDGED, key="atif:other")
    assert sealed(judgement(), other).status == "unscored"


def test_tools_of_the_target_are_published() -> None:
    said = judgement(
        moments=(replace(MOMENT, descriptor="after lift_off failed", tool="lift_off"),)
    )
    assert sealed(said, JUDGED).moments[0].tool == "external"
    kept = sealed(said, JUDGED, target_tools=frozenset({"lift_off"})).moments[0]
    assert (kept.tool, kept.descriptor) == ("lift_off", "after lift_off failed")


def judgement(judge: str = "llm", **changed: Any) -> Judgement:
    identity = JudgeIdentity(judge, "1", "p", "m", "1")
    plain = Judgement("atif:t", identity, "judged")
    return replace(plain, **changed)


def _texts(tree: ast.Module) -> list[str]:
    """The texts in the code, docstrings and patterns left out."""
    notes = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes
    ]
