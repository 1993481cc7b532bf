"""The audit: which sessions were drawn at random for the model, and what they say of the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import duckdb
import orjson
import polars as pl

from judges.audit import Audited, Population, estimate_audit
from judges.cascade import random_number
from judges.verdict import JudgeIdentity
from pipelines.context import Context
from pipelines.screening import Seen, Verdicts, seen_sessions
from pipelines.warehouse import query, replace_rows


class Draw(NamedTuple):
    """A session of the audit: its random number, and the probability with which it was drawn."""

    number: float
    rate: float


@dataclass(frozen=True, slots=True)
class AuditLevel:
    """The estimate over turns or over sessions; see judges.audit for what each figure is."""

    level: str
    """turn or session."""
    units: int
    """Of all sessions that could have been drawn."""
    audited_units: int
    rules_rate: float | None
    corrected_rate: float | None
    corrected_low: float | None
    corrected_high: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    note: str


@dataclass(frozen=True, slots=True)
class AuditFigures:
    """What `audits` keeps of a run."""

    model: str
    prompt_version: str
    seed: int
    sessions: int
    """That could have been drawn and that the rules judged."""
    drawn: int
    audited: int
    """Drawn, and judged by rules and model; only these count."""
    unscored: int
    """Drawn, and not to be judged by one of them: what they would show is not known."""
    waiting: int
    """Drawn, and not judged by the model yet, or only after one that was."""
    users: int
    """Distinct users of the audited sessions."""
    levels: tuple[AuditLevel, ...]
    too_long: int = 0
    """Sessions that the run's budget had no room for: nothing is known of them."""


def draw_audit(
    connection: duckdb.DuckDBPyConnection,
    sessions: Sequence[Seen],
    *,
    rate: float,
    context: Context,
) -> dict[str, Draw]:
    """Draw each of `sessions` whose number is below `rate`, keep the draws, return all of them.

    A session stays drawn, and what counts is the highest rate that it ever stood under: that is
    the probability with which its fixed number made it part of the audit.
    """
    seed = context.config.judge.audit_seed
    known = audit_draws(connection, seed)
    drawn = {
        session.session_key: Draw(number, max(rate, known.get(session.session_key, _NEVER).rate))
        for session in sessions
        if (number := random_number(session.session_key, seed)) < rate
        or session.session_key in known
    }
    hashes = {session.session_key: session.content_hash for session in sessions}
    rows = [(key, hashes[key], *draw) for key, draw in drawn.items()]
    frame = pl.DataFrame(rows, schema=_DRAW_SCHEMA, orient="row").with_columns(
        seed=pl.lit(seed), run_id=pl.lit(context.run_id), drawn_at=pl.lit(context.clock())
    )
    replace_rows(connection, "audit_draws", frame)
    return known | drawn


def audit_draws(connection: duckdb.DuckDBPyConnection, seed: int) -> dict[str, Draw]:
    """All draws under a seed, by session key."""
    rows = query(
        connection, "SELECT session_key, number, rate FROM audit_draws WHERE seed = ?", [seed]
    )
    return {key: Draw(number, rate) for key, number, rate in rows.iter_rows()}


def measure_audit(
    context: Context, identity: JudgeIdentity, *, too_long: frozenset[str] = frozenset()
) -> AuditFigures:
    """Measure the audit as it stands, and keep the figures under the run.

    Sessions `too_long` for the budget could not have been drawn: the figures leave them out.
    """
    with context.warehouse() as connection:
        sessions = seen_sessions(connection, identity, context)
        draws = audit_draws(connection, context.config.judge.audit_seed)
        drawable = [session for session in sessions if session.session_key not in too_long]
        figures = audit_figures(drawable, draws, identity, context.config.judge.audit_seed)
        figures = replace(figures, too_long=len(too_long))
        connection.execute(
            "INSERT OR REPLACE INTO audits VALUES (?, ?, ?)",
            [context.run_id, context.clock(), orjson.dumps(asdict(figures)).decode()],
        )
    return figures


def audit_figures(
    sessions: Sequence[Seen], draws: Mapping[str, Draw], identity: JudgeIdentity, seed: int
) -> AuditFigures:
    """The figures over `sessions`, all that could have been drawn.

    Draws are used in the order of their numbers up to the first that the model has not been asked
    about: so a run that stopped early leaves a smaller uniform sample and not a chosen one.
    """
    drawn = [session for session in sessions if session.session_key in draws]
    open_numbers = [draws[s.session_key].number for s in drawn if s.model_status in _NOT_ASKED]
    bound = min(open_numbers, default=1.0)
    closed = [session for session in drawn if draws[session.session_key].number < bound]
    audited = [session for session in closed if session.rules and session.model]
    rates = {s.session_key: min(draws[s.session_key].rate, bound) for s in audited}
    judged = [session.rules for session in sessions if session.rules]
    return AuditFigures(
        model=identity.model,
        prompt_version=identity.prompt_version,
        seed=seed,
        sessions=len(judged),
        drawn=len(drawn),
        audited=len(audited),
        unscored=len(closed) - len(audited),
        waiting=len(drawn) - len(closed),
        users=len({session.user for session in audited}),
        levels=(_turn_level(audited, rates, judged), _session_level(audited, rates, judged)),
    )


_NEVER = Draw(1.0, 0.0)
_NOT_ASKED = (None, "pending")
_DRAW_SCHEMA = {
    "session_key": pl.String,
    "content_hash": pl.String,
    "number": pl.Float64,
    "rate": pl.Float64,
}


def _turn_level(
    audited: Sequence[Seen], rates: Mapping[str, float], judged: Sequence[Verdicts]
) -> AuditLevel:
    counts = [
        _crossed(rates[s.session_key], [_pair(ref, s) for ref in s.rules.scores])
        for s in audited
        if s.rules and s.model
    ]
    friction = sum(len(verdicts.friction_turns) for verdicts in judged)
    turns = sum(len(verdicts.scores) for verdicts in judged)
    return _level("turn", counts, Population(friction, turns - friction))


def _session_level(
    audited: Sequence[Seen], rates: Mapping[str, float], judged: Sequence[Verdicts]
) -> AuditLevel:
    counts = [
        _crossed(rates[s.session_key], [(s.rules.has_friction, s.model.has_friction)])
        for s in audited
        if s.rules and s.model
    ]
    friction = sum(verdicts.has_friction for verdicts in judged)
    return _level("session", counts, Population(friction, len(judged) - friction))


def _pair(ref: str, session: Seen) -> tuple[bool, bool]:
    assert session.rules
    assert session.model
    return ref in session.rules.friction_turns, ref in session.model.friction_turns


def _crossed(rate: float, pairs: Sequence[tuple[bool, bool]]) -> Audited:
    """Units by (rules, model)."""
    kinds = ((True, True), (True, False), (False, True), (False, False))
    return Audited(rate, *(pairs.count(kind) for kind in kinds))


def _level(level: str, counts: Sequence[Audited], population: Population) -> AuditLevel:
    found = estimate_audit(counts, population)
    rate, recall = found.corrected_rate, found.recall
    return AuditLevel(
        level=level,
        units=sum(population),
        audited_units=int(sum(sum(count[1:]) for count in counts)),
        rules_rate=found.rules_rate,
        corrected_rate=rate and rate.value,
        corrected_low=rate and rate.low,
        corrected_high=rate and rate.high,
        recall=recall and recall.value,
        recall_low=recall and recall.low,
        recall_high=recall and recall.high,
        note=found.note,
    )
