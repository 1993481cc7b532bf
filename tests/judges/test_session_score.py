"""How the score of a whole session comes about. All dialogues are invented."""

import math
from pathlib import Path

import numpy as np
import pytest

from agent_core.session import Session, ToolCall
from judges.rules import RulesJudge
from judges.rules.judge import read_scenes
from judges.rules.session_evidence import count, is_act, is_errand, session_evidence
from judges.rules.session_score import (
    Part,
    SessionScore,
    SessionWeights,
    errand_score,
    shipped_session_weights,
)
from judges.verdict import Judgement
from tests.judges.build import Called, agent, edited, event, person, ran, session
from tests.judges.scripts import script_at

LOG = math.log1p
ASK = "I want to move the two oldest parcels, the blue lamp, and both chairs to the same day."
SOLD = SessionWeights(
    version="t",
    bias=-2.0,
    sure=0.9,
    evidence={"acts": Part(weight=3.0, low=0.0, high=2.0), "length": Part(weight=1, low=1, high=2)},
)


def judge(judged: Session) -> Judgement:
    return RulesJudge(b"salt")(judged)


def looked(parcel: str) -> Called:
    return ("get_parcel", {"parcel": parcel}, "found", None)


def moved(parcel: str, day: str, error: str | None = None) -> Called:
    return ("move_parcel", {"parcel": parcel, "day": [day]}, error or "moved", error)


def errand(*more: str) -> Session:
    """A dialogue in which the person says more and more."""
    spoken = [step for text in more for step in (agent("All right."), person(text))]
    return session(person("Hello there."), agent("Hello.", looked("p1")), *spoken)


def test_evidence_of_an_errand() -> None:
    scenes = read_scenes(
        session(
            person("I have parcels, please."),
            agent("Which ones?\n- p1\n- p2"),
            person("The oldest one and the lamp."),
            agent("", looked("p1"), moved("p1", "Monday", "other")),
            agent("", looked("p1"), moved("p1", "Tuesday")),
            agent("Unfortunately the lamp cannot move."),
            person("But I want all of them, and every single one, today!"),
        )
    )
    assert session_evidence(scenes, [0.0, 0.5, 0.9]) == pytest.approx(
        {
            "length": LOG(7),
            "several_wishes": LOG(2),  # a comma, an "and"; what follows the refusal is pleading
            "bounded_wishes": LOG(1),  # "oldest"
            "acts": LOG(3),  # p1, Monday, Tuesday
            "failed_acts": LOG(1),
            "options": LOG(2),
            "repeated_calls": LOG(1),
            "declined_after_acts": LOG(1),
            "early_words": 23 / (23 + 28 + 52),
            "worst_turn": math.log(2),
        }
    )


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (session(person("Hi"), agent("", looked("p1"))), True),
        (session(person("Hi"), agent("Hello.")), False),
        (session(person("Hi"), agent("", looked("p1"), ran("ls"))), False),
        (session(person("Hi"), agent("", edited("a.py"))), False),
        (session(person("Hi"), agent("", looked("p1")), autonomous=True), False),
    ],
    ids=["errand", "talk", "commands", "files", "autonomous"],
)
def test_what_is_an_errand(judged: Session, expected: bool) -> None:
    assert is_errand(read_scenes(judged)) is expected


@pytest.mark.parametrize(
    ("name", "acts"),
    [
        ("get_order", False),
        ("searchFlights", False),
        ("calculate", False),
        ("transfer_to_human_agents", False),
        ("getaway_booking", True),
        ("update_order", True),
        ("BookFlight", True),
        ("注文", True),
    ],
)
def test_tools_that_act(name: str, acts: bool) -> None:
    assert is_act(ToolCall("c", name, {})) is acts


@pytest.mark.parametrize(
    ("kind", "text", "times"),
    [
        ("several", "Die Lampe, den Stuhl und auch den Tisch", 3),
        ("several", "椅子と机、および本", 2),
        ("bounded", "le moins cher, mais tous les autres", 2),
        ("declined", "Leider ist das nicht möglich.", 2),
        ("declined", "I'll do it at once.", 0),
    ],
)
def test_words_of_several_languages(kind: str, text: str, times: int) -> None:
    assert count(kind, text) == times


@pytest.mark.parametrize(
    ("amount", "strength"), [(-1.0, 0.0), (1.0, 0.0), (2.0, 0.5), (3.0, 1.0), (99.0, 1.0)]
)
def test_strength_is_bounded(amount: float, strength: float) -> None:
    assert Part(weight=1.0, low=1.0, high=3.0).strength(amount) == strength


@pytest.mark.parametrize(
    ("acts", "length", "worst", "expected"),
    [
        (0.0, 0.0, 0.5, SessionScore(0.1192, (), is_errand=True)),
        (2.0, 1.5, 0.5, SessionScore(0.8176, ("acts", "length"), is_errand=True)),
        (0.0, 2.0, 0.95, SessionScore(0.95, ("length",), is_errand=True)),
    ],
    ids=["nothing", "much", "a sure turn"],
)
def test_score_of_an_errand(
    acts: float, length: float, worst: float, expected: SessionScore
) -> None:
    assert errand_score({"acts": acts, "length": length}, worst, SOLD) == expected


def test_more_wishes_make_a_bad_end_likelier() -> None:
    scores = [judge(errand(*[ASK] * times)).friction_score or 0.0 for times in range(4)]
    assert scores == sorted(set(scores))
    assert 0 <= scores[0] < 0.05 < 0.15 < scores[-1] <= 1


def test_work_on_files_is_as_bad_as_its_worst_turn() -> None:
    judged = judge(
        session(
            person(ASK),
            agent("Done.", edited("a.py")),
            event("interrupt"),
            person("No, that is wrong."),
            agent("", ran("ls")),
            person("Go on."),
        )
    )
    assert judged.friction_score == max(turn.friction_score or 0.0 for turn in judged.turns)
    assert (judged.friction_score or 0.0) > 0.9


def test_a_stopped_errand_counts_like_its_turn() -> None:
    judged = judge(
        session(
            person("Hello there."),
            agent("Hello.", looked("p1")),
            event("interrupt"),
            person("No, stop, that is wrong!"),
        )
    )
    assert judged.friction_score == max(turn.friction_score or 0.0 for turn in judged.turns)


def test_autonomous_runs_are_scored_by_errors_alone() -> None:
    failing = agent("I could not finish.", *[edited("a.py", "no_match") for _ in range(4)])
    quiet, loud, failed = (
        judge(session(person(text), did, autonomous=True)).friction_score
        for text, did in ((ASK, agent("", edited("a.py"))), ("No! Wrong!", agent("", ran("ls"))),
                          (ASK, failing))
    )  # fmt: skip
    assert quiet == loud
    assert (quiet or 0.0) < 0.2 < 0.5 < (failed or 0.0)


@pytest.mark.parametrize(
    ("asked", "options", "expected"),
    [("Please move p1.", 1, "success"), (ASK * 4, 40, "unclear")],
    ids=["little", "much"],
)
def test_a_claim_is_believed_where_the_score_lets_it(
    asked: str, options: int, expected: str
) -> None:
    judged = judge(
        session(
            person(asked),
            agent("Which day?" + "\n- a day" * options, looked("p1"), looked("p1")),
            person("Monday."),
            agent("It was moved successfully.", *[moved("p1", f"{n}") for n in range(options)]),
        )
    )
    assert (judged.facets or {})["outcome"] == expected


def test_shipped_weights_speak_for_a_bad_end() -> None:
    parts = shipped_session_weights().evidence
    known = session_evidence(read_scenes(errand(ASK)), [0.0, 0.0])
    assert set(parts) <= set(known)
    assert all(part.weight > 0 and part.low < part.high for part in parts.values())


def test_weights_with_another_number_have_the_next_version(repository: Path) -> None:
    script = script_at(repository / "data" / "fit_session_score.py")
    shipped = shipped_session_weights()
    changed = shipped.model_copy(update={"bias": shipped.bias + 0.001})
    assert script.numbered(shipped) == shipped
    assert int(script.numbered(changed).version) == int(shipped.version) + 1


@pytest.mark.slow
def test_the_shipped_weights_are_those_that_the_script_fits(
    repository: Path, shared_dir: Path
) -> None:
    """Else: python data/fit_session_score.py --write"""
    script = script_at(repository / "data" / "fit_session_score.py")
    known = script.read_known(shared_dir)
    errands = known.only(np.isin(known.domains, script.ERRANDS))
    assert script.as_toml(script.fit(errands)) == script.WEIGHTS.read_text(encoding="utf-8")
