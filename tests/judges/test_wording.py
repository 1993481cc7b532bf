"""Descriptors and citations speak in the closed vocabulary and never name the type."""

import re

import pytest

from agent_core.privacy import ordinary_words
from agent_core.signature import ERROR_CLASSES
from judges.rubric import load_rubric
from judges.rules import RulesJudge
from judges.rules.judge import read_scenes
from judges.rules.vocabulary import _ACTIONS, KNOWN_TOOLS, failure_words
from judges.rules.wording import citation, descriptor
from tests.judges.build import agent, edited, person, ran, session

SCENES = read_scenes(
    session(
        person("Please add a retry option to the download command of the tool."),
        agent("All tests pass.", edited("a.py", "no_match"), edited("a.py", "no_match")),
        person("No, revert that, it is still broken. This is ridiculous!!"),
        agent("", ran("make", "timeout")),
        person("Perfect, thanks, go ahead"),
    )
)
TYPES = [*load_rubric().names("friction"), *load_rubric().names("delight")]


@pytest.mark.parametrize("kind", TYPES)
def test_descriptors_do_not_name_the_type(kind: str) -> None:
    for scene in SCENES:
        said = descriptor(kind, scene, frozenset()).replace("_", " ")
        assert re.search(rf"\b{kind.replace('_', ' ')}\b", said) is None


@pytest.mark.parametrize("kind", TYPES)
def test_templates_use_ordinary_words_and_known_tools(kind: str) -> None:
    allowed = ordinary_words() | {name.lower() for name in KNOWN_TOOLS}
    for scene in SCENES:
        said = f"{descriptor(kind, scene, frozenset())} {citation(kind, scene, frozenset())}"
        words = {word.removesuffix("'s").lower() for word in re.findall(r"[\w']+", said)}
        assert words - allowed == set()


def test_every_error_class_has_words() -> None:
    assert {failure_words(name) for name in ERROR_CLASSES}
    assert len({failure_words(name) for name in ERROR_CLASSES}) == len(ERROR_CLASSES)


def test_a_segment_in_words() -> None:
    assert descriptor("backtracking", SCENES[1], frozenset()) == (
        "after the agent edited files and said that it was done, while edit_file found no matching "
        "text twice, the person asked for the former state and used strong words, "
        "midway in the session"
    )
    assert citation("escalation_tone", SCENES[1], frozenset()) == (
        "The person used strong words and asked for the former state after the agent edited files "
        "and said that it was done, while edit_file found no matching text twice."
    )


def test_the_same_session_gives_the_same_judgement() -> None:
    judged = session(person("a"), agent("done", ran("x")), person("no, that is wrong"))
    assert RulesJudge(b"s")(judged) == RulesJudge(b"s")(judged)


def test_a_tool_does_one_thing_and_is_named_once() -> None:
    names = [name for tools in _ACTIONS.values() for name in tools]
    assert sorted(names) == sorted(KNOWN_TOOLS)
