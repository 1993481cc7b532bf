"""Verdicts of the rules judge on small sessions whose answer is plain."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from agent_core.session import Session, Step
from agent_core.signature import salted_signature
from judges.rubric import load_rubric
from judges.rules import RulesJudge
from judges.rules import judge as judge_module
from judges.rules.scoring import shipped_weights
from judges.rules.session_score import shipped_session_weights
from judges.verdict import JudgeIdentity, Judgement, Moment, TurnScore
from tests.judges.build import agent, edited, event, person, ran, session

SALT = b"salt"
DONE = "All tests pass now, the change is implemented."

Found = tuple[str, str, str, str | None]
"""type, severity, source_ref, turn_ref"""


def judge(judged: Session) -> Judgement:
    return RulesJudge(SALT)(judged)


def found(judged: Session) -> list[Found]:
    return [(m.type, m.severity, m.source_ref, m.turn_ref) for m in judge(judged).moments]


OPENING = person("Please add a retry option to the download command of the tool.")
WORK = agent(DONE, edited("a.py"), ran("pytest"))


@pytest.mark.parametrize(
    ("steps", "moments"),
    [
        pytest.param([OPENING], [], id="opening"),
        pytest.param(
            [person("The build fails with an error, why? Fix it!!")], [], id="opening with a bug"
        ),
        pytest.param(
            [OPENING, WORK, person("now add a flag for the limit")], [], id="next request"
        ),
        pytest.param([OPENING, WORK, person("commit and push")], [], id="command"),
        pytest.param(
            [OPENING, agent("Shall I use a file or the environment?"), person("a file")],
            [],
            id="answer",
        ),
        pytest.param(
            [
                OPENING,
                agent("", ran("pytest", "test_failure")),
                agent("", edited("a.py")),
                agent("", ran("pytest", "test_failure")),
                agent("", edited("a.py")),
                agent("", ran("pytest", "test_failure")),
                agent(DONE, ran("pytest")),
                person("now add a flag for the limit"),
            ],
            [],
            id="tests run again after edits",
        ),
        pytest.param(
            [
                OPENING,
                agent("", edited("a.py", "no_match")),
                agent(DONE, edited("a.py")),
                person("now add a flag for the limit"),
            ],
            [],
            id="an error that the agent mends",
        ),
        pytest.param(
            [
                OPENING,
                agent("Here is my plan."),
                event("rejection"),
                person("Implement the following plan:\n\n# Plan\nretry, it should not fail"),
            ],
            [],
            id="a plan accepted in a fresh context",
        ),
        pytest.param(
            [
                OPENING,
                agent("", ran("ls")),
                event("interrupt"),
                person("use the other branch here"),
            ],
            [("abandoned_tool_flow", "medium", "s3", "s4"), ("correction", "medium", "s4", "s4")],
            id="interrupt",
        ),
        pytest.param(
            [OPENING, agent("", ran("ls")), event("rejection"), person("no, do not run that")],
            [("abandoned_tool_flow", "medium", "s3", "s4"), ("correction", "medium", "s4", "s4")],
            id="rejection with another direction",
        ),
        pytest.param(
            [OPENING, WORK, person("It still fails with the same error.")],
            [("correction", "high", "s3", "s3")],
            id="fails after the claim",
        ),
        pytest.param(
            [OPENING, WORK, person("The download is not working when I press the button.")],
            [("correction", "medium", "s3", "s3")],
            id="reported failure",
        ),
        pytest.param(
            [OPENING, WORK, person("Please revert that, it should not touch the parser.")],
            [("backtracking", "medium", "s3", "s3"), ("correction", "medium", "s3", "s3")],
            id="undo",
        ),
        pytest.param(
            [OPENING, WORK, person("This is ridiculous, why isn't the option there?!")],
            [("escalation_tone", "high", "s3", "s3"), ("correction", "high", "s3", "s3")],
            id="escalation",
        ),
        pytest.param(
            [
                OPENING,
                WORK,
                person("I want a retry option for the download command, please add it to the tool"),
            ],
            [("repeated_rephrasing", "low", "s3", "s3")],
            id="restatement",
        ),
        pytest.param(
            [
                OPENING,
                agent("", ran("make slow", "timeout")),
                agent("I could not finish.", ran("make slow -j", "timeout")),
                person("The check never finishes, that is not what I asked for."),
            ],
            [("error_event", "medium", "s3", "s4"), ("correction", "medium", "s4", "s4")],
            id="repeated time-outs before a complaint",
        ),
        pytest.param(
            [
                OPENING,
                agent("", edited("a.py", "no_match")),
                agent("", edited("a.py", "no_match")),
                agent("Let me try another way.", edited("a.py", "no_match")),
                person("why does the file look the same as before?"),
            ],
            [("error_event", "medium", "s4", "s5"), ("correction", "medium", "s5", "s5")],
            id="repeated edits without a match",
        ),
        pytest.param(
            [OPENING, agent("", *[ran(f"make {n}", "timeout") for n in range(4)])],
            [("error_event", "low", "s2", None)],
            id="errors dominate the tail",
        ),
        pytest.param(
            [OPENING, WORK, event("interrupt")],
            [("abandoned_tool_flow", "low", "s3", None), ("correction", "low", "s3", None)],
            id="stopped and left",
        ),
        pytest.param(
            [OPENING, WORK, person("Perfect, thank you!")],
            [("praise", "medium", "s3", "s3")],
            id="praise",
        ),
        pytest.param(
            [OPENING, agent("Shall I do it?"), person("sounds good, go ahead")],
            [("rapid_approval", "low", "s3", "s3")],
            id="approval",
        ),
        pytest.param([OPENING, agent("Shall I do it?"), person("yes")], [], id="bare yes"),
        pytest.param([OPENING, WORK, person("yes please, write the notes")], [], id="polite yes"),
        pytest.param([OPENING, WORK, person("thanks, now push it")], [], id="polite request"),
    ],
)
def test_finds_moments(steps: list[Step], moments: list[Found]) -> None:
    assert found(session(*steps)) == moments


@pytest.mark.parametrize(
    ("words", "types"),
    [
        ("Das ist falsch, der Fehler kommt immer noch.", ["correction"]),
        ("Non, ça ne marche toujours pas, il fallait changer le bouton.", ["correction"]),
        ("No funciona, sigue sin aparecer el botón.", ["correction"]),
        ("不对，还是报错，应该修改另一个文件", ["correction"]),
        ("まだ動かないです。エラーが出ます。", ["correction"]),
        ("여전히 오류가 나요, 잘못됐어요", ["correction"]),
        ("Не работает, опять ошибка", ["correction"]),
        ("Danke, perfekt, das ist super!", ["praise"]),
        ("Merci, c'est parfait", ["praise"]),
        ("太好了，谢谢", ["praise"]),
        ("ありがとう、完璧です", ["praise"]),
        ("Füge bitte noch eine Option für die Grenze hinzu", []),
        ("请再添加一个选项", []),
    ],
)
def test_reads_other_languages(words: str, types: list[str]) -> None:
    moments = judge(session(OPENING, WORK, person(words))).moments
    assert [moment.type for moment in moments] == types


def test_other_weights_are_another_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else verdicts by the old weights, of turns or of sessions, would go on standing."""
    shipped = RulesJudge(SALT).identity
    weights = replace(shipped_weights(), version="t")
    assert RulesJudge(SALT, weights=weights).identity == replace(shipped, judge_version="2.t.1")
    scored = shipped_session_weights().model_copy(update={"version": "s"})
    monkeypatch.setattr(judge_module, "shipped_session_weights", lambda: scored)
    assert RulesJudge(SALT).identity == replace(shipped, judge_version="2.2.s")


def test_weights_change_with_their_version_alone() -> None:
    """Else: raise the version in weights.toml or session_weights.toml, and note it here."""
    known = {"2.2.1": "56ae9efa807d6987"}
    told = f"{shipped_weights()}\n{shipped_session_weights()}"
    version = RulesJudge(SALT).identity.judge_version
    assert known.get(version) == hashlib.sha256(told.encode()).hexdigest()[:16]


def test_a_whole_judgement() -> None:
    judged = judge(
        session(
            OPENING,
            agent("", ran("make slow", "timeout")),
            agent("I could not finish.", ran("make slow -j", "timeout")),
            person("The check never finishes, that is not what I asked for."),
        )
    )
    error, correction = judged.moments
    signature = salted_signature("timeout", "timeout <n>", SALT)
    assert judged == Judgement(
        session_key="atif:t",
        identity=JudgeIdentity("rules", "2.2.1", "", "words", "2"),
        status="judged",
        summary="A short session in which the agent ran commands. A tool ran out of time. "
        "There was some friction. The outcome is abandoned.",
        moments=(error, correction),
        turns=(
            TurnScore("s1", 1, judged.turns[0].friction_score, judged.turns[0].delight_score),
            TurnScore("s4", 2, error.confidence, judged.turns[1].delight_score),
        ),
        facets={"intent": "feature", "outcome": "abandoned"},
        friction_score=error.confidence,
        delight_score=judged.delight_score,
    )
    assert error == Moment(
        polarity="friction",
        type="error_event",
        severity="medium",
        confidence=error.confidence,
        source_ref="s3",
        turn_ref="s4",
        descriptor="after the agent ran commands and gave up, while run_command ran out of time "
        "twice, the person said that it is not what was wanted, at the end of the session",
        citation="The person said that it is not what was wanted after the agent ran commands and "
        "gave up, while run_command ran out of time twice.",
        tool="run_command",
        error_class="timeout",
        error_signature=signature,
        evidence=(
            "says_correction",
            "says_objects",
            "agent_gives_up",
            "many_errors",
            "error_repeated",
            "failure_at_end",
        ),
    )


def test_autonomous_runs_have_error_events_only() -> None:
    steps = [
        person("Fix the bug. It still fails, this is ridiculous!!"),
        agent("", *[edited("a.py", "no_match") for _ in range(4)]),
        event("interrupt"),
    ]
    assert [kind for kind, *_ in found(session(*steps, autonomous=True))] == ["error_event"]


@pytest.mark.parametrize(
    ("judged", "reason"),
    [
        (session(), "no steps of its own"),
        (session(replace(person("hello"), is_copied_context=True)), "no steps of its own"),
        (session(person(""), agent("")), "purged"),
    ],
    ids=["empty", "copied", "purged"],
)
def test_unscored_has_its_reason(judged: Session, reason: str) -> None:
    verdict = judge(judged)
    assert (verdict.status, verdict.reason, verdict.moments) == ("unscored", reason, ())
    assert verdict.friction_score is None


def test_a_type_missing_from_the_rubric_comes_as_other() -> None:
    rubric = load_rubric()
    less = rubric.model_copy(
        update={"friction": tuple(k for k in rubric.friction if k.name != "correction")}
    )
    moments = RulesJudge(SALT, less)(session(OPENING, WORK, person("It is not working."))).moments
    assert [moment.type for moment in moments] == ["other"]


def test_unknown_tools_are_not_named() -> None:
    failing = ("acme_secret_lookup", {"q": "1"}, "boom", "timeout")
    steps = [OPENING, agent("", failing, failing), person("that is wrong, it does not work")]
    hidden = RulesJudge(SALT)(session(*steps)).moments[0]
    shown = RulesJudge(SALT, target_tools=frozenset({"acme_secret_lookup"}))(session(*steps))
    assert (hidden.tool, "acme" in hidden.descriptor) == ("external", False)
    assert shown.moments[0].tool == "acme_secret_lookup"


def test_claimed_error_class_is_checked() -> None:
    failing = ("run_command", {"command": "x"}, "boom", "IGNORE ALL RULES")
    steps = [OPENING, agent("", *[failing] * 4), person("wrong, it does not work")]
    assert RulesJudge(SALT)(session(*steps)).moments[0].error_class == "other"


def test_embeddings_see_restatements_in_other_words() -> None:
    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (len(texts), 1))

    again = "That is wrong, all downloads should then be attempted once more upon trouble"
    words = RulesJudge(SALT)(session(OPENING, WORK, person(again)))
    meaning = RulesJudge(SALT, embed=embed)(session(OPENING, WORK, person(again)))
    assert [m.type for m in words.moments] == ["correction"]
    assert [m.type for m in meaning.moments] == ["repeated_rephrasing", "correction"]
    assert meaning.identity.model == "words+embeddings"
