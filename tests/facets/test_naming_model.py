"""Names by a model: what it is shown, how its answers are read, and how they vote."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from agent_core.model import ChatMessage, ModelReply, ResponseSchema
from facets.naming_check import ClusteredTexts, NameCandidate
from facets.naming_model import (
    MEMBERS,
    PROMPT,
    Ask,
    NameAnswer,
    name_schema,
    names_by_model,
    questions,
    read_answer,
)
from tests.facets.words_space import embed_words


def clustered(size: int) -> ClusteredTexts:
    """Two clusters of `size` texts each, and two texts of noise."""
    kinds = ("the search found nothing", "the person said thanks")
    texts = [f"{kind}, time {n}" for kind in kinds for n in range(size)]
    texts += ["the search found much", "it rained"]
    labels = np.concatenate([np.repeat([0, 1], size), [-1, -1]])
    return ClusteredTexts(texts, embed_words(texts), labels, 2)


def answering(*answers: NameAnswer | None) -> tuple[Ask, list[Sequence[ChatMessage]]]:
    """A callable with these answers in turn, and the questions it was asked."""
    left, asked = list(answers), []

    def ask(messages: Sequence[ChatMessage], schema: ResponseSchema) -> NameAnswer | None:
        assert schema == name_schema()
        asked.append(messages)
        return left.pop(0)

    return ask, asked


def named(name: str) -> NameAnswer:
    return NameAnswer(name, f"what {name} says")


def test_members_and_the_nearest_outsiders_are_shown_and_nothing_held_out() -> None:
    items = clustered(6)
    (messages,) = questions(items, 0)  # so few that every sample is the same
    assert messages[0] == ChatMessage("system", PROMPT)
    shown = json.loads(messages[1].content)
    assert set(shown) == {"members", "outsiders"}
    assert shown["members"] == [items.texts[place] for place in items.shown(0)]
    assert shown["outsiders"][0] == "the search found much"
    held = {items.texts[place] for cluster in (0, 1) for place in items.tested(cluster)}
    assert held.isdisjoint([*shown["members"], *shown["outsiders"]])


def test_samples_show_other_members() -> None:
    asked = questions(clustered(60), 0)
    members = [frozenset(json.loads(user.content)["members"]) for _, user in asked]
    assert len(set(members)) == len(members) == 3
    assert {len(some) for some in members} == {MEMBERS}


@pytest.mark.parametrize(
    ("answers", "names"),
    [
        ((named("empty search"), named("vain search"), named("empty search")),
         ["empty search", "vain search"]),
        ((named("a vain search"), named("sunny weather"), named("vain search")),
         ["vain search", "a vain search", "sunny weather"]),
        ((None, NameAnswer(None, reason="withheld"), named("vain search")), ["vain search"]),
        ((None, None, None), []),
    ],
    ids=["twice-the-same", "nearest-to-the-others", "one-answer", "nobody-asked"],
)  # fmt: skip
def test_the_vote(answers: tuple[NameAnswer | None, ...], names: list[str]) -> None:
    ask, asked = answering(*answers)
    found = names_by_model(clustered(60), 0, ask, embed_words)
    assert found == [NameCandidate(name, f"what {name} says", "model") for name in names]
    assert len(asked) == 3


def reply(name: str, definition: str) -> str:
    return json.dumps({"name": name, "definition": definition})


def objection(text: str) -> str | None:
    return "holds a path" if "/" in text else None


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (ModelReply(reply(" Vain  search. ", "The search  finds nothing.")),
         NameAnswer("vain search", "The search finds nothing.")),
        (ModelReply("no JSON"), NameAnswer(None, reason="the answer is not of the schema")),
        (ModelReply('{"name": "a", "definition": "b", "more": 1}'),
         NameAnswer(None, reason="the answer is not of the schema")),
        (ModelReply(reply("", "b")),
         NameAnswer(None, reason="the name or the definition is empty or too long")),
        (ModelReply(reply("a b c d e f g h i", "b")),
         NameAnswer(None, reason="the name or the definition is empty or too long")),
        (ModelReply(reply("vain search", "As in /etc/passwd.")),
         NameAnswer(None, reason="what it says may not be shown: it holds a path")),
        (ModelReply("", refusal="No."), NameAnswer(None, reason="the model gave no whole answer")),
        (ModelReply(reply("a", "b"), finish_reason="length"),
         NameAnswer(None, reason="the model gave no whole answer")),
    ],
    ids=["fits", "no-json", "extra", "empty", "long", "private", "refusal", "cut"],
)  # fmt: skip
def test_how_an_answer_is_read(given: ModelReply, answer: NameAnswer) -> None:
    assert read_answer(given, objection) == answer
