"""The cascade over a real warehouse: who is drawn, who comes first, and what the audit says."""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from judges.cascade import random_number
from judges.verdict import JudgeIdentity
from pipelines import loop
from pipelines.audit import AuditLevel, measure_audit
from pipelines.cascade import Plan, plan_cascade
from pipelines.config import Config, JudgeConfig, ThresholdsConfig
from pipelines.context import Context
from pipelines.report import read_report, report_as_text
from pipelines.stages.publishing import publish
from pipelines.stages.snapshot import current_snapshot
from pipelines.warehouse import query, transaction
from tests.fake_openai import Answer, FakeOpenAI
from tests.judges.answers import find, moment, verify
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.cli.command import signals
from tests.pipelines.stages.test_model_judgements import PRICES
from tests.pipelines.warehouse_rows import add

MODEL = JudgeIdentity("llm", "2", "p1", "made-up", "1")
_CHARS = 4_000
"""Of a session's one step."""
_TOKENS = 5_905
"""Sent, 1.5 times a quarter of 4,047 and 9,300 bytes, and received, 1.5 times 600."""
_FOUND = {"s0", "s4", "s8", "s1", "s2"}
"""Of 16 sessions: three of the four that the rules call friction, and two of the others."""


def _set(context: Context, **judge: Any) -> Context:
    return replace(context, config=Config(judge=JudgeConfig(**judge)))


def _add_session(context: Context, key: str, *, score: float = 0.2, **session: Any) -> None:
    """A session of two turns; the second has the score, and is friction for the rules from 0.5."""
    _add_sessions(context, {key: score}, **session)


def _add_sessions(context: Context, scores: Mapping[str, float], **session: Any) -> None:
    with context.warehouse() as connection, transaction(connection):
        for number, (key, score) in enumerate(scores.items()):
            add(connection, "sessions", session_key=key, session_id=key, steps=1,
                **{"user_id": f"u{number % 5}"} | session)  # fmt: skip
            add(connection, "steps", session_key=key, source_ref="1", position=0,
                text="x" * _CHARS)  # fmt: skip
            add(connection, "judgements", judgement_id=f"rules {key}", session_key=key,
                turns=_turns(0.1, score), moments=_moments(score >= 0.5),
                friction_score=score)  # fmt: skip


def _judge(context: Context, keys: Iterable[str], friction: Container[str], **values: Any) -> None:
    """What the model says of the second turns."""
    with context.warehouse() as connection, transaction(connection):
        for key in keys:
            add(connection, "judgements", judgement_id=f"model {key}", session_key=key, judge="llm",
                judge_version="2", prompt_version="p1", model="made-up", current=False,
                turns=_turns(0.0, float(key in friction)), moments=_moments(key in friction),
                tokens_sent=_TOKENS, **values)  # fmt: skip


def _turns(*scores: float) -> list[dict[str, Any]]:
    return [
        {"source_ref": f"t{n}", "turn": n, "friction_score": score, "delight_score": 0.0}
        for n, score in enumerate(scores, start=1)
    ]


def _moments(friction: bool) -> list[dict[str, Any]]:
    return [{"polarity": "friction", "turn_ref": "t2"}] if friction else []


def _many(context: Context, count: int) -> list[str]:
    """Sessions `s0`, `s1`, ... that the rules find clean."""
    keys = [f"s{n}" for n in range(count)]
    _add_sessions(context, dict.fromkeys(keys, 0.45))
    return keys


def _keys(plan: Plan) -> str:
    return " ".join(
        key + "*" * is_audit
        for key, is_audit in plan.order.select("session_key", "is_audit").iter_rows()
    )


def _draws(context: Context) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(
            connection,
            "SELECT session_key, seed, round(number, 3), rate, run_id FROM audit_draws "
            "ORDER BY number",
        ).rows()


def test_the_least_certain_come_first_without_an_audit(context: Context) -> None:
    for key, score in (("clear", 0.05), ("sure", 0.95), ("unsure", 0.45), ("close", 0.52)):
        _add_session(context, key, score=score)
    with context.warehouse() as connection:
        connection.execute("UPDATE judgements SET status = 'unscored', reason = 'failed' "
                           "WHERE session_key = 'sure'")  # fmt: skip
    plan = plan_cascade(_set(context, audit_share=0), MODEL, tokens=20_000)
    assert _keys(plan) == "sure close unsure clear"
    assert plan.order.columns == [
        "session_key", "is_audit", "tokens", "content_hash", "steps", "active_at"
    ]  # fmt: skip
    assert plan.order["tokens"].to_list() == [_TOKENS] * 4
    assert _draws(context) == []


def test_the_audit_is_drawn_by_its_numbers_from_all_sessions(context: Context) -> None:
    """50 sessions at 20 of 50: those with a number below 0.4, judged by the model or not."""
    keys = _many(context, 50)
    expected = sorted((random_number(key, 0), key) for key in keys if random_number(key, 0) < 0.4)
    first = expected[0][1]
    _judge(context, [first], friction=[first])
    plan = plan_cascade(context, MODEL, tokens=10 * _TOKENS)
    assert [row[0] for row in _draws(context)] == [key for _, key in expected]
    assert {row[3] for row in _draws(context)} == {0.4}
    audit = plan.order.filter("is_audit")["session_key"].to_list()
    assert audit == [key for _, key in expected[1:]]
    # The minimum asks for more than the share: every other place of the budget is the audit's.
    assert plan.order["is_audit"].to_list()[:6] == [True, False, True, False, True, False]
    assert sorted(plan.order["session_key"]) == sorted(set(keys) - {first})


def test_a_run_again_draws_the_same_and_a_higher_rate_draws_more(context: Context) -> None:
    _many(context, 100)
    plan_cascade(context, MODEL, tokens=10 * _TOKENS)
    first = _draws(context)
    plan_cascade(replace(context, run_id="run-2"), MODEL, tokens=10 * _TOKENS)
    assert [row[:4] for row in _draws(context)] == [row[:4] for row in first]
    plan_cascade(_set(context, audit_share=0.5), MODEL, tokens=60 * _TOKENS)
    more = _draws(context)
    assert {row[3] for row in first} == {0.2}
    assert {round(row[3], 4) for row in more} == {0.3}
    assert [row[0] for row in more[: len(first)]] == [row[0] for row in first]
    plan_cascade(context, MODEL, tokens=10 * _TOKENS)
    assert [row[:4] for row in _draws(context)] == [row[:4] for row in more]


def test_another_seed_draws_others(context: Context) -> None:
    _many(context, 100)
    for seed in (0, 7):
        plan_cascade(_set(context, audit_seed=seed), MODEL, tokens=10 * _TOKENS)
    drawn = [{row[0] for row in _draws(context) if row[1] == seed} for seed in (0, 7)]
    assert drawn == [
        {f"s{n}" for n in range(100) if random_number(f"s{n}", seed) < 0.2} for seed in (0, 7)
    ]


def test_what_is_excluded_active_or_too_long_is_not_drawn(context: Context) -> None:
    _add_session(context, "out", exclusion="no turn of a person")
    _add_session(context, "active", ended_at=context.clock() - timedelta(hours=1))
    _add_session(context, "quiet")
    _add_session(context, "long")
    with context.warehouse() as connection:
        for number in range(9):
            add(connection, "steps", session_key="long", source_ref=f"more {number}",
                position=number, text="x" * 40_000)  # fmt: skip
    plan = plan_cascade(context, MODEL, tokens=10_000)
    assert _keys(plan) == "quiet*"
    assert [row[0] for row in _draws(context)] == ["quiet"]
    assert plan.too_long == {"long"}


def _fourths(context: Context, count: int) -> list[str]:
    """Every fourth session is friction for the rules."""
    scores = {f"s{n}": 0.9 if n % 4 == 0 else 0.2 for n in range(count)}
    _add_sessions(context, scores)
    return list(scores)


def _levels(levels: Sequence[AuditLevel]) -> list[tuple[Any, ...]]:
    def short(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    return [
        (f.level, f.units, f.audited_units, short(f.rules_rate), short(f.corrected_rate),
         short(f.recall), f.note)
        for f in levels
    ]  # fmt: skip


def test_nothing_is_measured_before_the_model_has_spoken(context: Context) -> None:
    _fourths(context, 40)
    plan_cascade(context, MODEL, tokens=10 * _TOKENS)
    figures = measure_audit(context, MODEL)
    assert (figures.sessions, figures.audited, figures.waiting) == (40, 0, figures.drawn)
    note = "not measured: 0 audited sessions"
    assert _levels(figures.levels) == [
        ("turn", 80, 0, 0.12, None, None, note),
        ("session", 40, 0, 0.25, None, None, note),
    ]


def test_the_audit_measures_what_the_rules_miss(context: Context) -> None:
    """All sessions are drawn: recall 3 of 5, over 32 turns or 16 sessions."""
    keys = _fourths(context, 16)
    plan_cascade(context, MODEL, tokens=100 * _TOKENS)
    _judge(context, keys, friction=_FOUND)
    figures = measure_audit(context, MODEL)
    assert (figures.sessions, figures.drawn, figures.audited, figures.unscored, figures.waiting,
            figures.users) == (16, 16, 16, 0, 0, 5)  # fmt: skip
    assert _levels(figures.levels) == [
        ("turn", 32, 32, 0.12, 0.16, 0.6, ""),
        ("session", 16, 16, 0.25, 0.31, 0.6, ""),
    ]


def test_only_draws_count_up_to_the_first_that_the_model_was_not_asked(context: Context) -> None:
    """The informative ones say nothing of the rest, nor do draws after one that waits."""
    keys = _many(context, 80)
    plan_cascade(context, MODEL, tokens=10 * _TOKENS)
    drawn = [row[0] for row in _draws(context)]
    assert {row[3] for row in _draws(context)} == {0.25}
    assert len(drawn) > 15
    others = sorted(set(keys) - set(drawn))
    _judge(context, others, friction=others)
    refused, waits = drawn[2], drawn[13]
    _judge(context, set(drawn) - {refused, waits}, friction=[])
    _judge(context, [refused], friction=[], status="unscored", reason="refused")
    figures = measure_audit(context, MODEL)
    assert (figures.drawn, figures.audited, figures.unscored, figures.waiting) == (
        len(drawn), 12, 1, len(drawn) - 13
    )  # fmt: skip
    (turns, _) = figures.levels
    assert (turns.corrected_rate, turns.recall) == (0.0, None)


def test_a_verdict_on_what_a_session_held_before_it_grew_does_not_count(context: Context) -> None:
    keys = _many(context, 12)
    plan_cascade(context, MODEL, tokens=100 * _TOKENS)
    _judge(context, keys, friction=[], content_hash="before")
    assert measure_audit(context, MODEL).audited == 0


def test_another_prompt_is_another_judge(context: Context) -> None:
    keys = _many(context, 12)
    _judge(context, keys, friction=[])
    plan_cascade(context, MODEL, tokens=100 * _TOKENS)
    assert measure_audit(context, MODEL).audited == 12
    assert measure_audit(context, replace(MODEL, prompt_version="p2")).audited == 0


def _report(context: Context, tmp_path: Path) -> str:
    publish(context)
    return report_as_text(read_report(context.home.snapshots))


def test_the_report_says_what_the_audit_found(context: Context, tmp_path: Path) -> None:
    keys = _fourths(context, 16)
    assert "what the rules miss is not measured: nothing was audited" in _report(context, tmp_path)
    plan_cascade(context, MODEL, tokens=100 * _TOKENS)
    _judge(context, keys, friction=_FOUND)
    measure_audit(context, MODEL)
    text = _report(context, tmp_path)
    said = " ".join(text[text.index("  audit") : text.index("Top friction")].split())
    assert said == (
        "audit made-up judged 16 of 16 sessions drawn at random; its verdict is the reference, "
        "not the truth "
        "turns: the rules find 60 % (26 to 88 %) of what it calls friction; "
        "friction in 16 % (8 to 28 %) by its measure, 12 % by the rules "
        "sessions: the rules find 60 % (28 to 88 %) of what it calls friction; "
        "friction in 31 % (15 to 52 %) by its measure, 25 % by the rules"
    )
    published = current_snapshot(context.home.snapshots)
    assert published
    with context.warehouse() as connection:
        coverage = connection.execute(
            "SELECT status, count FROM read_parquet(?) WHERE area = 'audit'",
            [str(published / "coverage.parquet")],
        ).fetchall()
    assert coverage == [("audited", 16)]


@pytest.mark.parametrize(
    ("min_users", "said"),
    [(3, "of 16 sessions drawn"), (6, "withheld, too few sessions or users")],
    ids=["enough users", "too few users"],
)
def test_a_team_is_told_from_its_floors_on(
    context: Context, tmp_path: Path, min_users: int, said: str
) -> None:
    team = Config(mode="team", thresholds=ThresholdsConfig(min_users=min_users))
    keys = _fourths(context, 16)
    plan_cascade(context, MODEL, tokens=100 * _TOKENS)
    _judge(context, keys, friction=keys)
    measure_audit(context, MODEL)
    assert said in _report(replace(context, config=team), tmp_path)


_COMPLAINT = "No, that is wrong, the parser still drops the last line."


def _write_logs(folder: Path) -> None:
    """Twelve sessions; the person complains in the first four."""
    for number in range(12):
        name = f"s{number}"
        reply = _COMPLAINT if number < 4 else "Now write the docs, please."
        write_log(
            folder / f"{name}.jsonl",
            said(name, f"{name}-1", 0, "Add a parser."),
            answered(name, f"{name}-2", 1, "Done."),
            said(name, f"{name}-3", 2, reply),
        )


def _script(friction: Container[str]) -> list[Answer]:
    """What the model says of all twelve, in the order of the audit's numbers."""
    names = sorted((f"s{n}" for n in range(12)), key=lambda s: random_number(f"claude_code:{s}", 0))
    answers = []
    for name in names:
        answers += [find(moment()), verify((True, "medium", 0.9))] if name in friction else [find()]
    return answers


def _settings(endpoint: FakeOpenAI) -> dict[str, Any]:
    return {"judge": "cascade", "base_url": endpoint.base_url, "model": "scripted",
            "idle_hours": 0, "max_retries": 0, "concurrency": 1, "consent": True}  # fmt: skip


@pytest.mark.slow
def test_a_run_judges_by_rules_and_model_and_audits(context: Context, tmp_path: Path) -> None:
    """Rules and model agree on three; each finds friction once where the other does not."""
    _write_logs(tmp_path / "logs")
    with FakeOpenAI(_script({"s0", "s1", "s2", "s4"})) as endpoint:
        run = _set(context, **_settings(endpoint))
        loop.ingest_logs(run, [tmp_path / "logs"])
        loop.sessions(run)
        counts = loop.judgements(run)
    assert (counts["judged"], counts["model_judged"], counts["model_audited"]) == (12, 12, 12)
    assert loop.judgements(run).get("model_judged") is None
    with context.warehouse() as connection:
        (figures,) = query(connection, "SELECT figures FROM audits")["figures"]
    levels = [AuditLevel(**level) for level in json.loads(figures)["levels"]]
    assert _levels(levels) == [
        ("turn", 24, 24, 0.17, 0.17, 0.75, ""),
        ("session", 12, 12, 0.33, 0.33, 0.75, ""),
    ]


@pytest.mark.slow
def test_the_command_stops_and_goes_on_in_the_same_order(tmp_path: Path) -> None:
    _write_logs(tmp_path / "logs")
    home = tmp_path / "home"
    home.mkdir()
    with FakeOpenAI(_script({"s0"})) as endpoint:
        lines = [f"{key} = {json.dumps(value)}" for key, value in _settings(endpoint).items()]
        (home / "signals.toml").write_text("\n".join(["[judge]", *lines]))
        assert signals("ingest", tmp_path / "logs", home=home).returncode == 0
        told = [
            json.loads(signals("--json", "judge", *limits, home=home).stdout)
            for limits in (["--budget-tokens", "3000"], ["--limit", "5"], [])
        ]
    assert [(t.get("judged"), t["too_long"], t["audit_drawn"], t["audited"]) for t in told] == [
        (0, 12, 0, 0),
        (5, 0, 12, 5),
        (7, 0, 12, 12),
    ]


@pytest.mark.slow
def test_a_draw_that_is_too_dear_is_left_out_of_the_audit(context: Context, tmp_path: Path) -> None:
    """The first draw is long and full of quotes; the audit measures with the eleven others."""
    first = min((f"s{n}" for n in range(12)), key=lambda s: random_number(f"claude_code:{s}", 0))
    _write_logs(tmp_path / "logs")
    long = [answered(first, f"{first}-{n}", n, '"a"\n' * 700) for n in range(2, 40)]
    write_log(tmp_path / "logs" / f"{first}.jsonl", said(first, f"{first}-1", 0, "Go."), *long)
    (context.home.root / "prices.toml").write_text(PRICES)
    with FakeOpenAI([find()] * 11) as endpoint:
        config = {"judge": _settings(endpoint) | {"budget_usd": 0.05},
                  "prices": {"file": "prices.toml"}}  # fmt: skip
        run = replace(context, config=Config.model_validate(config))
        loop.ingest_logs(run, [tmp_path / "logs"])
        loop.sessions(run)
        counts = loop.judgements(run)
    kinds = ("judged", "too_long", "over_budget", "audit_drawn", "audited")
    assert [counts[f"model_{kind}"] for kind in kinds] == [11, 1, 0, 11, 11]


def test_what_was_judged_under_a_larger_budget_is_too_long_all_the_same(context: Context) -> None:
    _many(context, 12)
    _judge(context, ["s3"], friction=[])
    with context.warehouse() as connection:
        add(connection, "steps", session_key="s3", source_ref="more", position=1,
            text="x" * 39_000, tool_calls="[]", observations="[]")  # fmt: skip
    plan = plan_cascade(context, MODEL, tokens=10_000)
    assert plan.too_long == {"s3"}
    assert "s3" not in {row[0] for row in _draws(context)}
