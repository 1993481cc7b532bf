"""Likeness of a turn to the turns before it, in words and in meaning."""

from collections.abc import Sequence

import numpy as np
import pytest

from agent_core.embedding import Embedder
from agent_core.session import Session
from judges.rules import RulesJudge
from judges.rules.batch import RulesSetup, TurnVectors, is_english, texts_of
from judges.rules.evidence import gather
from judges.rules.prose import Turn
from judges.rules.restatement import (
    content_words,
    embeddable,
    restatement,
    restatement_of_meaning,
)
from judges.rules.view import segment_views
from tests.judges.build import agent, person, session

WISH = "please add a retry option to the download command of the tool"
AGAIN = "downloads that break off should then be attempted once more by the tool"
OTHER = "the colours of those buttons are not what the designer has drawn"


class _Model:
    """Vectors of two columns whose cosines with the first axis are given; remembers the texts."""

    model_id = "made-up"

    def __init__(self, cosines: dict[str, float], noise: float = 0.0) -> None:
        self.cosines = cosines
        self.noise = noise
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.append(list(texts))
        # What real models do: a row moves a little with what else is in its batch.
        moved = [self.cosines[text] + self.noise * len(texts) for text in texts]
        return np.array([[c, (1 - c * c) ** 0.5] for c in moved], dtype=np.float32)


def _turns(*texts: str) -> list[Turn]:
    return [Turn(text, "") for text in texts]


def test_the_most_similar_earlier_turn_counts() -> None:
    earlier = _turns("completely unrelated matter about colours of buttons", WISH)
    assert restatement(Turn(WISH, ""), earlier) == 1.0
    assert restatement(Turn(WISH, ""), earlier[:1]) == 0.0
    assert restatement(Turn("retry", ""), earlier) == 0.0


def test_each_turn_is_taken_apart_once() -> None:
    content_words.cache_clear()
    turns = [person(f"{WISH} for the case of word{chr(97 + n // 26)}{n}") for n in range(120)]
    RulesJudge(b"s")(session(*turns))
    assert content_words.cache_info().misses == len(turns)


@pytest.mark.parametrize(
    ("cosine", "strength"),
    [(0.3, 0.0), (0.5, 0.0), (0.65, 0.5), (0.8, 1.0), (0.99, 1.0)],
    ids=["unlike", "same-subject", "between", "like", "alike"],
)
def test_cosines_of_the_next_wish_are_nothing_and_of_the_same_wish_are_all(
    cosine: float, strength: float
) -> None:
    embed = TurnVectors(_Model({WISH: 1.0, OTHER: 0.1, AGAIN: cosine}))
    found = restatement_of_meaning(Turn(WISH, ""), _turns(AGAIN, OTHER), embed)
    assert found == pytest.approx(strength)


def test_meaning_is_unknown_where_the_model_does_not_read_it() -> None:
    german = "Bitte ergänze beim Herunterladen eine Wiederholung bei Fehlern"
    embed = TurnVectors(_Model({WISH: 1.0, AGAIN: 0.8}))
    meanings = {
        "read": restatement_of_meaning(Turn(WISH, ""), _turns(german, AGAIN), embed),
        "nothing read": restatement_of_meaning(Turn(WISH, ""), _turns(german), embed),
        "not read": restatement_of_meaning(Turn(german, ""), _turns(AGAIN), embed),
        "short": restatement_of_meaning(Turn("commit", ""), _turns(AGAIN), embed),
        "first": restatement_of_meaning(Turn(WISH, ""), [], embed),
    }
    assert meanings == {
        "read": pytest.approx(1.0),
        "nothing read": None,
        "not read": None,
        "short": 0.0,
        "first": 0.0,
    }


def test_words_and_meaning_are_evidence_apart() -> None:
    view = segment_views(session(person(WISH), agent("Done."), person(AGAIN)))[1]
    embed = TurnVectors(_Model({WISH: 1.0, AGAIN: 0.74}))
    by_words, by_both = gather(view), gather(view, embed)
    assert "restates_meaning" not in by_words
    assert {**by_words, "restates_meaning": pytest.approx(0.8)} == by_both


def _of(*texts: str) -> Session:
    return session(*(step for text in texts for step in (person(text), agent("Done."))))


def test_turns_of_many_sessions_are_embedded_once_and_together() -> None:
    model = _Model({WISH: 1.0, AGAIN: 0.9, OTHER: 0.1})
    vectors = TurnVectors(model)
    vectors.prepare([_of(WISH, AGAIN), _of(AGAIN, "yes"), _of(OTHER, WISH, "yes"), _of(AGAIN)])
    vectors.prepare([_of(WISH, OTHER)])
    assert model.asked == [[WISH, AGAIN, OTHER]]


def test_only_what_can_matter_is_embedded() -> None:
    long = "word ".join(["retry", "download", "command", "option"]) + " filler" * 1_000
    assert texts_of(_of(WISH)) == []
    assert texts_of(_of(WISH, "yes", "run it")) == []
    assert texts_of(_of(WISH, "yes", long)) == [WISH, long[:2_000]]
    assert embeddable(_turns("go on", WISH)) == [WISH]


def test_vectors_are_dropped_between_batches_only() -> None:
    model = _Model({WISH: 1.0, AGAIN: 0.9, OTHER: 0.1})
    vectors = TurnVectors(model, kept=1)
    vectors.prepare([_of(WISH, AGAIN)])
    vectors([WISH, AGAIN])
    assert model.asked == [[WISH, AGAIN]]
    vectors.prepare([_of(WISH, OTHER)])
    assert model.asked == [[WISH, AGAIN], [WISH, OTHER]]


@pytest.mark.parametrize(
    "sessions",
    [[[WISH, AGAIN]], [[WISH, AGAIN], [OTHER, "yes", WISH]]],
    ids=["two-texts", "three-texts"],
)
def test_how_texts_share_batches_moves_no_strength(sessions: list[list[str]]) -> None:
    vectors = TurnVectors(_Model({WISH: 0.99, AGAIN: 0.6, OTHER: 0.1}, noise=1e-4))
    vectors.prepare([_of(*texts) for texts in sessions])
    meaning = restatement_of_meaning(Turn(WISH, ""), _turns(AGAIN), vectors)
    assert meaning == pytest.approx((0.71 - 0.5) / 0.3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WISH, True),
        (OTHER, True),
        ("I still get a blank page when I log in", True),
        ("Füge dem Befehl bitte eine Option für Wiederholungen hinzu, das war so gemeint", False),
        ("Ajoute une option à la commande, on ne peut toujours pas envoyer le fichier", False),
        ("Añade una opción al comando, todavía no se pueden subir los archivos", False),
        ("Voeg een optie toe aan de opdracht, het is niet goed of wel dan", False),
        ("Jeg vil have at listen er sorteret for mig på siden, det er ikke godt", False),
        ("To jest źle, chcę to zobaczyć na górze listy, my tego nie widzimy", False),
        ("请给下载命令加上重试选项，默认尝试三次", False),
        ("ダウンロードコマンドに再試行オプションを追加してください", False),
        ("Добавь в команду загрузки повтор, по умолчанию три попытки", False),
        ("", False),
    ],
    ids=["en", "en", "en", "de", "fr", "es", "nl", "da", "pl", "zh", "ja", "ru", "nothing"],
)
def test_the_packaged_model_is_asked_of_english_only(text: str, expected: bool) -> None:
    assert is_english(text) == expected


def test_the_identity_names_the_model() -> None:
    words, both = RulesSetup(b"s").build(), RulesSetup(b"s", embeddings=True).build()
    assert words.judge.identity.model == "words"
    assert both.judge.identity.model.startswith("words+all-MiniLM-L6-v2@53aa51172d14/")


@pytest.mark.slow
def test_the_real_model_knows_a_wish_in_other_words_however_it_is_batched() -> None:
    sessions = [_of(WISH, AGAIN), _of(OTHER, WISH, AGAIN), _of(f"{OTHER}. " * 30, WISH, OTHER)]
    model = Embedder(precision="fp32")
    together, apart = TurnVectors(model), [TurnVectors(model) for _ in sessions]
    together.prepare(sessions)
    verdicts = [RulesJudge(b"s", embed=together)(one) for one in sessions]
    assert verdicts == [
        RulesJudge(b"s", embed=alone)(one) for alone, one in zip(apart, sessions, strict=True)
    ]
    meaning = restatement_of_meaning(Turn(AGAIN, ""), _turns(OTHER, WISH), together)
    assert meaning is not None
    assert meaning > 0.3
    assert restatement(Turn(AGAIN, ""), _turns(OTHER, WISH)) < 0.3
