"""Likeness of a turn to the turns before it."""

from judges.rules import RulesJudge
from judges.rules.prose import Turn
from judges.rules.restatement import content_words, restatement
from tests.judges.build import person, session

WISH = "please add a retry option to the download command of the tool"


def test_the_most_similar_earlier_turn_counts() -> None:
    earlier = [Turn("completely unrelated matter about colours of buttons", ""), Turn(WISH, "")]
    assert restatement(Turn(WISH, ""), earlier) == 1.0
    assert restatement(Turn(WISH, ""), earlier[:1]) == 0.0
    assert restatement(Turn("retry", ""), earlier) == 0.0


def test_each_turn_is_taken_apart_once() -> None:
    content_words.cache_clear()
    turns = [person(f"{WISH} for the case of word{chr(97 + n // 26)}{n}") for n in range(120)]
    RulesJudge(b"s")(session(*turns))
    assert content_words.cache_info().misses == len(turns)
