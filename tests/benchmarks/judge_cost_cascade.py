"""What share of the model's verdicts a budget buys, by the order in which sessions are judged.

One annotator stands in for the model and the other is the truth, and the other way round; both are
language models of one kind, so what a model is worth is flattered, the comparison of orders not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent_core.session import Session
from judges.calibration import Label
from judges.cascade import (
    Screened,
    audit_rate,
    audit_tokens_share,
    expected_change,
    judging_order,
    random_number,
)
from judges.rules import RulesJudge
from judges.verdict import Judgement
from tests.benchmarks.judge import FITTING
from tests.benchmarks.model_requests import requests_of

NOTE = (
    "labels by two language models, one standing in for the model judge and the other for the "
    "truth, and the other way round"
)
BUDGETS = (0.0, 0.1, 0.25, 0.5, 1.0)
_AUDIT_SHARE = 0.2


@dataclass(frozen=True)
class _Labelled:
    """A session; tables count turns by (verdict, truth): both, verdict only, truth only, none."""

    screened: Screened
    steps: int
    by_rules: np.ndarray
    by_model: np.ndarray


Order = Callable[[Sequence[_Labelled], float, int], list[str]]


def cascade_figures(shared: Path, rounds: int) -> dict[str, Any]:
    """Recall, precision and kappa by budget and order; intervals over sessions and draws."""
    sessions = list(_labelled(shared))
    orders: dict[str, Order] = {
        "cascade": _cascade,
        "cascade without audit": _informative,
        "random": _random,
        "longest first": lambda s, _b, _n: _by(s, lambda each: -each.steps),
        "shortest first": lambda s, _b, _n: _by(s, lambda each: each.steps),
    }
    return {
        "labels": NOTE,
        "sessions": len(sessions),
        "turns": int(sum(session.by_rules.sum() for session in sessions) // 2),
        "tokens": sum(session.screened.tokens for session in sessions),
        "budgets": {
            f"{budget:.0%}": {
                name: _figures(sessions, order, budget, rounds) for name, order in orders.items()
            }
            for budget in BUDGETS
        },
    }


def cascade_table(figures: Mapping[str, Any]) -> str:
    """The figures for a terminal."""
    lines = [
        f"{figures['turns']} turns of {figures['sessions']} sessions, {figures['tokens']:,} tokens "
        f"of find and verify; {figures['labels']}",
        f"{'budget':<8}{'order':<24}{'sessions':>9}{'recall [95 %]':>22}{'precision [95 %]':>22}"
        f"{'kappa [95 %]':>22}",
    ]
    for budget, rows in figures["budgets"].items():
        for name, row in rows.items():
            spans = "".join(f"{_span(row[n]):>22}" for n in ("recall", "precision", "kappa"))
            lines.append(f"{budget:<8}{name:<24}{row['sessions']:>9.1f}{spans}")
    return "\n".join(lines)


def _labelled(shared: Path) -> Iterator[_Labelled]:
    judge = RulesJudge(b"benchmark")
    for session, labels in FITTING.read_sessions(shared):
        judgement = judge(session)
        if any(turn.source_ref in labels for turn in judgement.turns):
            yield _one(session, judgement, labels)


def _one(session: Session, judgement: Judgement, labels: Mapping[str, Label]) -> _Labelled:
    friction = {m.turn_ref for m in judgement.moments if m.polarity == "friction"}
    turns = [turn for turn in judgement.turns if turn.source_ref in labels]
    rules = np.array([turn.source_ref in friction for turn in turns])
    a, b = (
        np.array([labels[turn.source_ref].severities[annotator] > 0 for turn in turns])
        for annotator in range(2)
    )
    sent = requests_of(session, judgement)
    change = expected_change(
        [turn.friction_score for turn in judgement.turns],
        [turn.source_ref in friction for turn in judgement.turns],
    )
    return _Labelled(
        Screened(session.key, sum(s.tokens for s in sent if s.kind != "rewrite"), change),
        len(session.steps),
        by_rules=_crossed(rules, a) + _crossed(rules, b),
        by_model=_crossed(a, b) + _crossed(b, a),
    )


def _crossed(verdict: np.ndarray, truth: np.ndarray) -> np.ndarray:
    cells = (verdict & truth, verdict & ~truth, ~verdict & truth, ~verdict & ~truth)
    return np.array([cell.sum() for cell in cells])


def _cascade(sessions: Sequence[_Labelled], budget: float, seed: int) -> list[str]:
    items = [session.screened for session in sessions]
    rate = audit_rate(
        share=_AUDIT_SHARE,
        tokens=int(budget),
        all_tokens=sum(item.tokens for item in items),
        sessions=len(items),
    )
    numbers = {item.session_key: random_number(item.session_key, seed) for item in items}
    draws = {key: number for key, number in numbers.items() if number < rate}
    audit = sum(item.tokens for item in items if item.session_key in draws)
    share = audit_tokens_share(share=_AUDIT_SHARE, audit_tokens=audit, budget=int(budget))
    return [place.session_key for place in judging_order(items, draws, audit_tokens_share=share)]


def _informative(sessions: Sequence[_Labelled], _budget: float, _seed: int) -> list[str]:
    items = [session.screened for session in sessions]
    return [place.session_key for place in judging_order(items, {}, audit_tokens_share=0)]


def _random(sessions: Sequence[_Labelled], _budget: float, seed: int) -> list[str]:
    numbers = np.random.default_rng(seed).permutation(len(sessions))
    return [sessions[number].screened.session_key for number in numbers]


def _by(sessions: Sequence[_Labelled], rank: Callable[[_Labelled], float]) -> list[str]:
    return [session.screened.session_key for session in sorted(sessions, key=rank)]


def _figures(
    sessions: Sequence[_Labelled], order: Order, share: float, rounds: int
) -> dict[str, Any]:
    """Each round draws the order's randomness and a sample of sessions anew."""
    budget = share * sum(session.screened.tokens for session in sessions)
    rules, model = (
        np.array([getattr(s, name) for s in sessions]) for name in ("by_rules", "by_model")
    )
    rng = np.random.default_rng(0)
    whole, drawn, counts = [], [], []
    for seed in range(rounds):
        judged = _judged(sessions, order(sessions, budget, seed), budget)
        table = np.where(judged[:, None], model, rules)
        counts.append(judged.sum())
        whole.append(_rates(table.sum(axis=0)))
        drawn.append(_rates(table[rng.integers(0, len(sessions), len(sessions))].sum(axis=0)))
    values, bounds = np.mean(whole, axis=0), np.quantile(drawn, [0.025, 0.975], axis=0)
    figures = {
        name: [round(float(x), 3) for x in (values[n], bounds[0][n], bounds[1][n])]
        for n, name in enumerate(("recall", "precision", "kappa"))
    }
    return {"sessions": round(float(np.mean(counts)), 1), **figures}


def _judged(sessions: Sequence[_Labelled], order: Sequence[str], budget: float) -> np.ndarray:
    """Who is judged before the first that the budget has no room for."""
    tokens = {s.screened.session_key: s.screened.tokens for s in sessions}
    spent = np.cumsum([tokens[key] for key in order])
    taken = set(np.array(order)[spent <= budget])
    return np.array([session.screened.session_key in taken for session in sessions])


def _rates(cells: np.ndarray) -> tuple[float, float, float]:
    both, verdict, truth, neither = (float(cell) for cell in cells)
    total = both + verdict + truth + neither
    agreed = (both + neither) / total
    said, true = (both + verdict) / total, (both + truth) / total
    chance = said * true + (1 - said) * (1 - true)
    return both / (both + truth), both / (both + verdict), (agreed - chance) / (1 - chance)


def _span(figure: Sequence[float]) -> str:
    return f"{figure[0]:.2f} [{figure[1]:.2f}, {figure[2]:.2f}]"
