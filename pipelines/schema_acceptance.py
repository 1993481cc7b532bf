"""Proposals that become a part of the schema without a person, where `[evolution]` says so."""

from collections.abc import Iterator
from datetime import datetime

import duckdb

from agent_core.errors import ConfigError
from facets.proposal import Proposal
from pipelines.config import Config
from pipelines.schema_decisions import Decided, accept_proposal, leave_open
from pipelines.schema_proposals import open_proposals

GAIN = "gain"
"""Of a proposal's evidence: what it is worth on sessions held out."""


def auto_accept(
    connection: duckdb.DuckDBPyConnection, config: Config, now: datetime
) -> dict[str, Decided]:
    """Accept the open proposals that pass every floor of `[evolution]`; by proposal id.

    A figure that was not measured passes no floor. Each decision is recorded with its reason, also
    that one is left to a person. Nothing happens unless `auto_accept` is on.
    """
    if not config.evolution.auto_accept:
        return {}
    accepted: dict[str, Decided] = {}
    for proposal in open_proposals(connection):
        below = list(_below_floors(proposal, config))
        if below:
            leave_open(connection, proposal.proposal_id, "; ".join(below), now)
            continue
        try:
            accepted[proposal.proposal_id] = accept_proposal(
                connection, proposal.proposal_id, config, now, by="auto", reason=_figures(proposal)
            )
        except ConfigError as error:  # the schema has changed since it was proposed
            leave_open(connection, proposal.proposal_id, str(error), now)
    return accepted


def _below_floors(proposal: Proposal, config: Config) -> Iterator[str]:
    floors = config.evolution
    for name, found, floor in (
        ("sessions", proposal.sessions, max(floors.min_sessions, config.min_sessions)),
        ("users", proposal.users, max(floors.min_users, config.min_users)),
        ("stability", proposal.stability, floors.min_stability),
        ("gain", _gain(proposal), floors.min_gain),
    ):
        if found is None:
            yield f"{name} not measured"
        elif not found >= floor:
            yield f"{name} {found:g} under {floor:g}"


def _gain(proposal: Proposal) -> float | None:
    gain = proposal.evidence.get(GAIN)
    return float(gain) if isinstance(gain, int | float) and not isinstance(gain, bool) else None


def _figures(proposal: Proposal) -> str:
    return (
        f"sessions {proposal.sessions}, users {proposal.users}, "
        f"stability {proposal.stability:g}, gain {_gain(proposal):g}"
    )
