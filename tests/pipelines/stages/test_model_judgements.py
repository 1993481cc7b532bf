"""A model judges several sessions at a time; what is paid for is kept, and paid for once."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from agent_core.errors import ConfigError, LockHeldError, ModelError
from judges.llm import LLMJudge
from judges.verdict import JudgeIdentity
from pipelines import loop
from pipelines.budget import Amount, Budget
from pipelines.config import Config, JudgeConfig
from pipelines.context import Context
from pipelines.judging import judge_with_consent, make_budget, make_model, make_model_judge
from pipelines.model_price import price_of
from pipelines.run_estimate import announce
from pipelines.stages.ingest import ingest
from pipelines.stages.model_judgements import judge_by_model, sessions_for_model
from pipelines.stages.model_replies import keep_replies
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.fake_openai import Answer, FakeOpenAI, When, cut, failure, refusal, text, with_usage
from tests.judges.answers import find, moment, task_of, verify
from tests.pipelines.claude_log import answered, said, write_log

FOUND = find(moment(step=1))
HOLDS = verify((True, "low", 0.9))
Table = list[tuple[Any, ...]]


def with_sessions(context: Context, count: int) -> Context:
    """Sessions `s0`, `s1`, ... whose text names them; the home's clock is past their idle time."""
    folder = context.home.root.parent / "logs"
    for name in (f"s{number}" for number in range(count)):
        write_log(folder / f"{name}.jsonl", said(name, f"{name}-1", 0, f"Mend part {name} please."),
                  answered(name, f"{name}-2", 1, "Done."))  # fmt: skip
    ingest(context, [folder])
    summarise_sessions(context)
    return context


def of(name: str, task: str = "find") -> Callable[[Mapping[str, Any]], bool]:
    """Requests of one task about one session."""
    return lambda asked: f"part {name} please" in _text(asked) and task_of(asked) == task


def _text(asked: Mapping[str, Any]) -> str:
    return str(asked["messages"][1]["content"])


def judge(
    context: Context,
    endpoint: FakeOpenAI,
    *,
    sessions: pl.DataFrame | None = None,
    budget: Budget | None = None,
    concurrency: int = 1,
) -> dict[str, int]:
    """Run the stage against the endpoint and return its counts."""
    ready, model_judge = _ready(context, endpoint, concurrency)
    return judge_by_model(ready, model_judge, sessions, budget)


def _ready(context: Context, endpoint: FakeOpenAI, concurrency: int) -> tuple[Context, LLMJudge]:
    section = JudgeConfig(
        base_url=endpoint.base_url, model="scripted", max_retries=0, concurrency=concurrency
    )
    ready = replace(context, config=Config(judge=section))
    return ready, make_model_judge(ready)


def later(context: Context, days: int) -> Context:
    moment = context.clock() + timedelta(days=days)
    return replace(context, clock=lambda: moment)


def judgements(context: Context, columns: str = "status, reason") -> Table:
    sql = (
        f"SELECT session_id, {columns} FROM judgements JOIN sessions USING (session_key) ORDER BY 1"
    )
    sql = sql.replace("reason", "judgements.reason")
    with context.warehouse() as connection:
        return query(connection, sql).rows()


def kept(context: Context) -> int:
    """Answers that wait for their verdict."""
    with context.warehouse() as connection:
        return int(query(connection, "SELECT count(*) FROM model_replies").item())


def tasks(endpoint: FakeOpenAI) -> list[str]:
    return [task_of(request) for request in endpoint.requests]


@pytest.mark.slow
def test_several_sessions_are_judged_at_once(context: Context) -> None:
    with_sessions(context, 6)
    with FakeOpenAI([find()] * 6, at_once=3) as endpoint:
        counts = judge(context, endpoint, concurrency=3)
    assert counts == {
        "not_idle_yet": 0, "over_limit": 0, "over_budget": 0, "too_long": 0,
        "changed_meanwhile": 0, "judged": 6,
        "moments": 0, "tokens_sent": 66, "tokens_cached": 18, "tokens_received": 42,
        "cost_micro_usd": 0, "cost_unknown": 6, "answers_reused": 0,
    }  # fmt: skip
    assert endpoint.most_at_once == 3
    assert judgements(context) == [(f"s{number}", "judged", None) for number in range(6)]
    assert kept(context) == 0


@pytest.mark.slow
def test_answers_find_their_session_in_any_order(context: Context) -> None:
    with_sessions(context, 3)
    slow = replace(FOUND, delay_seconds=0.3)
    whens = [
        When(of("s0"), [slow]),
        When(of("s0", "verify"), [HOLDS]),
        When(of("s1"), [find()]),
        When(of("s2"), [text("no JSON")]),
        When(of("s2", "find again"), [FOUND]),
        When(of("s2", "verify"), [verify((False, "low", 0.1))]),
    ]
    with FakeOpenAI(whens=whens) as endpoint:
        judge(context, endpoint, concurrency=3)
    scores = judgements(context, "judgements.friction_score, tokens_sent")
    assert scores == [("s0", 0.9, 22), ("s1", 0.0, 11), ("s2", 0.0, 33)]


PRICES = """
as_of = 2026-09-01

[[prices]]
models = ["scripted"]
from = 2026-01-01
input = 1.0
cached = 0.1
output = 10.0
source = "made up"
checked = 2026-09-01
"""


def priced(context: Context, **judge: Any) -> Context:
    """A home whose price table knows the model."""
    (context.home.root / "prices.toml").write_text(PRICES)
    config = {"prices": {"file": "prices.toml"}, "judge": {"model": "scripted"} | judge}
    return replace(context, config=Config.model_validate(config))


def test_tokens_and_money_are_kept_with_each_verdict(context: Context) -> None:
    with_sessions(context, 2)
    whens = [
        When(of("s0"), [with_usage(find(), 1_000, 800, 100)]),
        When(of("s1"), [with_usage(text("no"), 2_000, 0, 10)]),
        When(of("s1", "find again"), [with_usage(find(), None)]),
    ]
    with FakeOpenAI(whens=whens) as endpoint:
        home = priced(context, base_url=endpoint.base_url, max_retries=0)
        judge_by_model(home, make_model_judge(home))
    columns = "tokens_sent, tokens_cached, tokens_received, judgements.cost_usd"
    # 200 new, 800 cached and 100 received; the second reports no usage: unknown, not nothing.
    assert judgements(context, columns) == [
        ("s0", 1_000, 800, 100, pytest.approx(200e-6 + 80e-6 + 1_000e-6)),
        ("s1", 2_000, 0, 10, None),
    ]


def test_an_interrupted_session_goes_on_where_it_was(context: Context) -> None:
    """The endpoint dies between find and verify: find is not paid for again."""
    with_sessions(context, 1)
    with FakeOpenAI([FOUND, failure(401), HOLDS]) as endpoint:
        with pytest.raises(ModelError, match="401"):
            judge(context, endpoint)
        assert (judgements(context), kept(context)) == ([], 1)
        counts = judge(context, endpoint)
    assert tasks(endpoint) == ["find", "verify", "verify"]
    assert (counts["judged"], counts["answers_reused"]) == (1, 1)
    assert judgements(context, "tokens_sent, attempts") == [("s0", 22, 1)]
    assert kept(context) == 0


@pytest.mark.slow
def test_a_limit_that_lasts_discards_nothing_of_the_others(context: Context) -> None:
    """Calls on their way are waited for, and no more are made."""
    with_sessions(context, 4)
    whens = [
        When(of("s0"), [replace(find(), delay_seconds=0.5)]),
        When(of("s1"), [failure(429)]),
        When(of("s2"), [replace(FOUND, delay_seconds=0.5)]),
    ]
    with FakeOpenAI(whens=whens) as endpoint, pytest.raises(ModelError, match="429"):
        judge(context, endpoint, concurrency=3)
    assert judgements(context) == [("s0", "judged", None)]
    assert kept(context) == 1
    rest = [
        When(of("s1"), [find()]),
        When(of("s2", "verify"), [HOLDS]),
        When(of("s3"), [find()]),
    ]
    with FakeOpenAI(whens=rest) as endpoint:
        judge(context, endpoint, concurrency=3)
    assert judgements(context) == [(f"s{number}", "judged", None) for number in range(4)]


@pytest.mark.parametrize(
    ("script", "reason", "sent", "again"),
    [
        ([refusal(), refusal()], "model answer: refusal", 22, [find()]),
        ([FOUND, text("no"), text("no")], "model answer: bad_json", 22, [HOLDS]),
        ([FOUND, cut("whole")], "model call failed: no usable answer came", 0, [HOLDS]),
        ([FOUND, failure(400)], "model call failed: refused", 0, [HOLDS]),
        ([FOUND, text("no"), cut("whole")], "model call failed: no usable answer came", 0, [HOLDS]),
    ],
    ids=["refusal", "bad verification", "cut", "refused request", "repair cut"],
)
@pytest.mark.slow
def test_only_what_is_of_no_use_is_asked_anew_another_day(
    context: Context, script: list[Answer], reason: str, sent: int, again: list[Answer]
) -> None:
    """What is kept counts when its session ends: every answer with usage 11, once."""
    with_sessions(context, 1)
    answers = [one for one in (*script, *again) if one.status == 200 and one.sent_bytes is None]
    with FakeOpenAI([*script, *again]) as endpoint:
        judge(context, endpoint)
        assert judgements(context, "status, reason, tokens_sent") == [
            ("s0", "unscored", reason, sent)
        ]
        assert kept(context) == len(answers) - len(again) - sent // 11
        judge(context, endpoint)  # not again today
        judge(later(context, 2), endpoint)
    assert judgements(context, "status, reason, tokens_sent") == [
        ("s0", "judged", None, 11 * len(answers))
    ]
    assert kept(context) == 0


@pytest.mark.slow
def test_of_many_answers_only_the_one_that_failed_is_asked_for_again(context: Context) -> None:
    """A session of four windows; the call on the second fails."""
    folder = context.home.root.parent / "logs"
    long = [answered("s0", f"s0-{n}", n, f"text {n} " * 450) for n in range(2, 100)]
    write_log(folder / "s0.jsonl", said("s0", "s0-1", 0, "Mend it."), *long)
    ingest(context, [folder])
    summarise_sessions(context)
    with FakeOpenAI([find(), failure(400), *[find()] * 3]) as endpoint:
        counts = judge(context, endpoint)
        assert (counts["unscored"], counts["tokens_sent"], kept(context)) == (1, 0, 3)
        judge(later(context, 2), endpoint)
    assert endpoint.requests[4] == endpoint.requests[1]
    assert judgements(context, "status, tokens_sent") == [("s0", "judged", 44)]


def _days_of(context: Context, answers: Callable[[], list[Answer]], count: int) -> list[str]:
    said_ = []
    for day in range(0, 2 * count, 2):
        with FakeOpenAI(answers()) as endpoint, pytest.raises(ModelError) as raised:
            judge(later(context, day), endpoint)
        said_.append(str(raised.value))
    return said_


@pytest.mark.parametrize(
    ("sessions", "calls", "words"),
    [
        (8, 5, "(calls for 5 sessions in a row failed; none is held for it)"),
        (2, 2, "(calls for 2 sessions in a row failed; none is held for it)"),
        (1, 1, "(calls for 1 session failed; none is held for it)"),
    ],
    ids=["after five", "all of two", "the only one"],
)
@pytest.mark.slow
def test_an_endpoint_that_is_down_uses_up_no_attempt(
    context: Context, sessions: int, calls: int, words: str
) -> None:
    with_sessions(context, sessions)
    for told in _days_of(context, lambda: [failure(503)] * calls, 4):
        assert told.endswith(f"failed (503); try again later {words}")
    assert judgements(context) == []
    with FakeOpenAI([find()] * sessions) as endpoint:
        assert judge(later(context, 8), endpoint)["judged"] == sessions


def test_a_session_that_fails_where_others_do_not_is_unscored(context: Context) -> None:
    with_sessions(context, 8)
    with FakeOpenAI([failure(503)] * 3 + [find()] + [failure(503)] * 4) as endpoint:
        counts = judge(context, endpoint)
    assert (counts["judged"], counts["unscored"]) == (1, 7)
    assert {row[1:] for row in judgements(context)} == {
        ("judged", None), ("unscored", "model call failed: no usable answer came")
    }  # fmt: skip


def test_what_failed_before_the_endpoint_went_down_is_not_held(context: Context) -> None:
    with_sessions(context, 9)
    script = [find(), failure(503), find(), *[failure(503)] * 5]
    with FakeOpenAI(script) as endpoint, pytest.raises(ModelError, match="5 sessions in a row"):
        judge(context, endpoint)
    assert [row[1] for row in judgements(context)] == ["judged", "unscored", "judged"]


LATE = replace(find(), delay_seconds=5.0)
IS_LATE = ("unscored", "model call failed: no usable answer came")


def _in_six_windows(context: Context, *others: str) -> Context:
    """Session `a0` takes six calls where a window holds 1,000 characters, others one each."""
    folder = context.home.root.parent / "logs"
    long = [answered("a0", f"a0-{n}", n, f"step {n} " * 70) for n in range(2, 8)]
    write_log(folder / "a0.jsonl", said("a0", "a0-1", 0, "Mend part a0 please."), *long)
    for name in others:
        write_log(folder / f"{name}.jsonl", said(name, f"{name}-1", 0, f"Mend part {name} please."),
                  answered(name, f"{name}-2", 1, "Done."))  # fmt: skip
    ingest(context, [folder])
    summarise_sessions(context)
    return context


def _judge_impatiently(
    context: Context, *, calls: int, whens: Sequence[When] = ()
) -> dict[str, int]:
    """Judge with 0.3 s a call; `calls` of the first session's windows are too late."""
    late = When(lambda asked: "part s" not in _text(asked), [LATE] * calls)
    with FakeOpenAI(whens=[late, *whens]) as endpoint:
        section = JudgeConfig(base_url=endpoint.base_url, model="m", timeout_seconds=0.3,
                              max_retries=0, concurrency=2)  # fmt: skip
        ready = replace(context, config=Config(judge=section))
        with make_model(section) as model:
            return judge_by_model(ready, LLMJudge(model, salt=b"salt", window_chars=1_000))


@pytest.mark.slow
def test_a_session_whose_calls_are_all_late_ends_no_run_and_is_held_after_three_days(
    context: Context,
) -> None:
    """Late answers are billed: without an attempt the first session would be paid for in each
    run, and none after it would ever be judged.
    """
    _in_six_windows(context, "s1")
    counts = _judge_impatiently(context, calls=6, whens=[When(of("s1"), [find()])])
    assert (counts["judged"], counts["unscored"]) == (1, 1)
    assert judgements(context, "status, reason, attempts") == [
        ("a0", *IS_LATE, 1),
        ("s1", "judged", None, 1),
    ]


@pytest.mark.slow
def test_the_only_session_is_held_when_its_calls_were_late_on_three_days(context: Context) -> None:
    _in_six_windows(context)
    for attempt in (1, 2, 3):
        with pytest.raises(ModelError, match=r"within 0\.3 s.*for 1 session failed; late ones are"):
            _judge_impatiently(later(context, 2 * attempt), calls=6)
        assert judgements(context, "status, reason, attempts") == [("a0", *IS_LATE, attempt)]
        assert "unscored" not in _judge_impatiently(later(context, 2 * attempt), calls=0)
    assert "unscored" not in _judge_impatiently(later(context, 8), calls=0)


@pytest.mark.slow
def test_many_failing_calls_of_one_session_do_not_end_the_run(context: Context) -> None:
    _in_six_windows(context, "s1")
    with FakeOpenAI([failure(503)] * 6 + [find()]) as endpoint:
        section = JudgeConfig(base_url=endpoint.base_url, model="m", max_retries=0, concurrency=1)
        ready = replace(context, config=Config(judge=section))
        with make_model(section) as model:
            judge_by_model(ready, LLMJudge(model, salt=b"salt", window_chars=1_000))
    assert judgements(context) == [("a0", *IS_LATE), ("s1", "judged", None)]


def _with_a_long_one(context: Context) -> Context:
    """The first session is full of quotes and line ends: twice as long in JSON as in itself."""
    folder = context.home.root.parent / "logs"
    write_log(folder / "a0.jsonl", said("a0", "a0-1", 0, "Mend it."),
              *[answered("a0", f"a0-{n}", n, '"a"\n' * 700) for n in range(2, 40)])  # fmt: skip
    return with_sessions(context, 3)


@pytest.mark.parametrize("kind", ["tokens", "money"])
@pytest.mark.slow
def test_a_session_that_no_budget_fits_starves_no_other(context: Context, kind: str) -> None:
    """In three runs: it is left out of each, and the others are judged in the first."""
    _with_a_long_one(context)
    price = price_of(priced(context), "scripted")
    for run, calls in enumerate((3, 0, 0)):
        budget = Budget(tokens=20_000) if kind == "tokens" else Budget(usd=0.05, price=price)
        with FakeOpenAI([find()] * calls) as endpoint:
            counts = judge(later(context, run), endpoint, budget=budget)
        assert (counts.get("judged", 0), counts["too_long"], counts["over_budget"]) == (calls, 1, 0)
        assert [key[-2:] for key in budget.too_long] == ["a0"]
    assert [row[0] for row in judgements(context)] == ["s0", "s1", "s2"]


@pytest.mark.slow
def test_what_fits_another_run_gives_way_to_what_fits_this_one(context: Context) -> None:
    _with_a_long_one(context)
    with FakeOpenAI([find()] * 3) as endpoint:
        budget = Budget(tokens=150_000, spent=Amount(130_000))
        counts = judge(context, endpoint, budget=budget)
    assert (counts["judged"], counts["too_long"], counts["over_budget"]) == (3, 0, 1)


@pytest.mark.slow
def test_an_interrupted_run_keeps_what_is_on_its_way(
    context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person presses Ctrl-C while three calls are under way."""
    with_sessions(context, 3)
    waits = iter([KeyboardInterrupt()])

    def interrupted(calls: Any, **options: Any) -> Any:
        for once in waits:
            raise once
        return wait(calls, **options)

    monkeypatch.setattr("pipelines.stages.model_judgements.wait", interrupted)
    with FakeOpenAI([replace(find(), delay_seconds=0.3)] * 3, at_once=3) as endpoint:
        with pytest.raises(KeyboardInterrupt):
            judge(context, endpoint, concurrency=3)
        assert (judgements(context), kept(context)) == ([], 3)
        assert judge(context, endpoint, concurrency=3)["answers_reused"] == 3
    assert "waiting for 3 answers on their way; Ctrl-C again gives them up" in (
        capsys.readouterr().err
    )


def test_a_second_interrupt_gives_the_answers_up(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_sessions(context, 1)

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.stages.model_judgements.wait", interrupted)
    with FakeOpenAI([replace(find(), delay_seconds=0.2)]) as endpoint:
        with pytest.raises(KeyboardInterrupt):
            judge(context, endpoint)
        assert kept(context) == 0
        while not endpoint.requests:
            time.sleep(0.01)


def test_answers_in_hand_wait_for_the_warehouse(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds it when they come, for longer than one wait."""
    with_sessions(context, 2)
    refused = iter([LockHeldError("in use"), LockHeldError("in use")])

    def held(*arguments: Any) -> None:
        for error in refused:
            raise error
        keep_replies(*arguments)

    monkeypatch.setattr("pipelines.stages.model_judgements.keep_replies", held)
    with FakeOpenAI([find()] * 2) as endpoint:
        assert judge(context, endpoint, concurrency=2)["judged"] == 2


@pytest.mark.slow
def test_late_answers_count_once_each(context: Context) -> None:
    with_sessions(context, 1)
    budget = Budget(tokens=20_000)
    with FakeOpenAI([replace(find(), delay_seconds=5.0)]) as endpoint:
        section = JudgeConfig(base_url=endpoint.base_url, model="m", timeout_seconds=1.0)
        ready = replace(context, config=Config(judge=section))
        with pytest.raises(ModelError, match="did not answer within 1 s"):
            judge_by_model(ready, make_model_judge(ready), None, budget)
    estimate = budget.spent.tokens
    assert 2_000 < estimate < 4_000


@pytest.mark.slow
def test_the_budget_ends_a_run_and_the_next_goes_on(context: Context) -> None:
    with_sessions(context, 4)
    costly = with_usage(find(), 3_000, 0, 100)
    with FakeOpenAI([costly] * 4) as endpoint:
        counts = judge(context, endpoint, budget=Budget(tokens=11_000), concurrency=4)
        assert (counts["judged"], counts["over_budget"], counts["tokens_sent"]) == (2, 2, 6_000)
        assert judgements(context) == [("s0", "judged", None), ("s1", "judged", None)]
        judge(context, endpoint, concurrency=4)
    assert len({_text(request) for request in endpoint.requests}) == 4


@pytest.mark.slow
def test_a_budget_that_ends_amid_a_session_keeps_its_answers(context: Context) -> None:
    """Its first call took far more than it seemed to."""
    with_sessions(context, 2)
    costly = with_usage(FOUND, 9_000, 0, 900)
    with FakeOpenAI([costly, HOLDS, find()]) as endpoint:
        counts = judge(context, endpoint, budget=Budget(tokens=10_000))
        assert (counts["over_budget"], kept(context), judgements(context)) == (2, 1, [])
        judge(context, endpoint)
    assert tasks(endpoint) == ["find", "verify", "find"]


@pytest.mark.slow
def test_sessions_are_judged_in_the_order_given(context: Context) -> None:
    with_sessions(context, 4)
    with FakeOpenAI([find()] * 3) as endpoint:
        ready, model_judge = _ready(context, endpoint, 1)
        waiting, _ = sessions_for_model(ready, model_judge.identity)
        chosen = waiting.reverse().head(3)
        judge_by_model(ready, model_judge, chosen)
    assert [_text(asked).partition("part ")[2][:2] for asked in endpoint.requests] == [
        "s3",
        "s2",
        "s1",
    ]


@pytest.mark.slow
def test_a_session_that_grew_meanwhile_waits(context: Context) -> None:
    with_sessions(context, 2)
    with FakeOpenAI([find()]) as endpoint:
        ready, model_judge = _ready(context, endpoint, 1)
        waiting, _ = sessions_for_model(ready, model_judge.identity)
        grown = waiting.with_columns(
            content_hash=pl.when(pl.col("session_key").str.contains("s0"))
            .then(pl.lit("older"))
            .otherwise("content_hash")
        )
        counts = judge_by_model(ready, model_judge, grown)
    assert (counts["judged"], counts["changed_meanwhile"], counts["over_budget"]) == (1, 1, 0)


def test_a_session_that_is_not_quiet_yet_waits(context: Context) -> None:
    with_sessions(context, 3)
    soon = later(context, -30)
    with FakeOpenAI([]) as endpoint:
        _, model_judge = _ready(context, endpoint, 1)
    early, left_out = sessions_for_model(soon, model_judge.identity)
    assert (early.height, left_out) == (0, {"not_idle_yet": 3, "over_limit": 0})
    chosen, left_out = sessions_for_model(context, model_judge.identity, 2)
    assert (chosen.height, left_out) == (2, {"not_idle_yet": 0, "over_limit": 1})


@pytest.mark.slow
def test_a_scheduled_run_says_what_it_sends(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    with_sessions(context, 2)
    with FakeOpenAI([find()] * 2) as endpoint:
        section = JudgeConfig(judge="llm", base_url=endpoint.base_url, model="m", consent=True)
        counts = loop.judgements(replace(context, config=Config(judge=section)))
    assert (counts["judged"], counts["model_judged"]) == (2, 2)
    assert capsys.readouterr().err == (
        "signals: sending the text of 2 sessions: about 8,900 tokens, at a price unknown to the "
        f"price table, secrets redacted, to {endpoint.base_url}\n"
    )


def test_half_a_surrogate_pair_in_an_answer_does_not_spoil_its_repair(context: Context) -> None:
    with_sessions(context, 1)
    with FakeOpenAI([text("half \ud83d JSON"), find()]) as endpoint:
        judge(context, endpoint)
    assert judgements(context) == [("s0", "judged", None)]
    assert endpoint.requests[1]["messages"][2]["content"] == "half  JSON"


def test_nobody_is_told_the_password_in_a_base_url(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    with_sessions(context, 1)
    section = JudgeConfig(judge="llm", base_url="http://me:pw@models.example:9/v1")
    for agreed, fault in ((False, "set \\[judge\\] consent = true"), (True, "no key for")):
        config = Config(judge=section.model_copy(update={"consent": agreed}))
        with pytest.raises(ConfigError, match=fault) as no:
            judge_with_consent(replace(context, config=config))
        assert "pw" not in str(no.value)
    chosen, _ = sessions_for_model(context, JudgeIdentity("llm", "1", "1", "m", "1"))
    announce(replace(context, config=Config(judge=section)), chosen, Budget())
    assert capsys.readouterr().err.endswith(", secrets redacted, to http://models.example:9/v1\n")


@pytest.mark.slow
def test_answers_that_nothing_came_of_go_after_a_month(context: Context) -> None:
    with_sessions(context, 1)
    with FakeOpenAI([FOUND, failure(401), FOUND, failure(401)]) as endpoint:
        for moment_ in (context, later(context, 31)):
            summarise_sessions(moment_)
            with pytest.raises(ModelError):
                judge(moment_, endpoint)
    assert tasks(endpoint) == ["find", "verify", "find", "verify"]


@pytest.mark.slow
def test_another_model_keeps_its_answers_where_the_first_gave_up(context: Context) -> None:
    """A run of the second model is killed; the next one selects sessions anew before it goes on."""
    with_sessions(context, 1)
    with FakeOpenAI([FOUND, failure(400), FOUND, failure(401), HOLDS]) as endpoint:
        judge(context, endpoint)
        with context.warehouse() as connection:
            connection.execute("UPDATE judgements SET attempts = 3, model = 'another'")
        summarise_sessions(later(context, 1))
        assert kept(context) == 0, "what the first one was answered"
        with pytest.raises(ModelError, match="401"):
            judge(later(context, 2), endpoint)
        summarise_sessions(later(context, 3))
        assert kept(context) == 1
        judge(later(context, 3), endpoint)
    assert tasks(endpoint) == ["find", "verify", "find", "verify", "verify"]
    assert ("s0", "judged", None) in judgements(context)


def test_a_limit_of_money_needs_a_price(context: Context) -> None:
    unpriced = replace(
        context, config=Config(judge=JudgeConfig(model="nobody-knows", budget_usd=1))
    )
    with pytest.raises(Exception, match=r"\[judge\] budget_usd: the price table has no price"):
        make_budget(unpriced)
    budget = make_budget(priced(context, budget_usd=2, budget_tokens=5), 7)
    assert (budget.usd, budget.tokens) == (2, 7)
