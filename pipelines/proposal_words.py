"""The figures of a proposal's evidence, in words."""

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl

from facets.proposal import Proposal
from pipelines.schema_proposals import stored_proposals

_SHOWN_APART = ("examples", "terms")


def figures_in_words(proposal: Proposal) -> str:
    """Support, stability and every other figure of the evidence, in one line."""
    stability = "not measured" if proposal.stability is None else f"{proposal.stability:.2f}"
    figures = [
        f"{proposal.support} items in {proposal.sessions} sessions of {proposal.users} users",
        f"stability {stability}",
    ]
    figures += [
        f"{name.replace('_', ' ')} {_figure(value)}"
        for name, value in proposal.evidence.items()
        if name not in _SHOWN_APART
    ]
    return "; ".join(figures)


def proposal_figures(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """`proposal_id` and `figures` of every proposal, for publishing."""
    rows = [
        (one.proposal.proposal_id, figures_in_words(one.proposal))
        for one in stored_proposals(connection)
    ]
    schema = {"proposal_id": pl.String(), "figures": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _figure(value: Any) -> str:
    """A number with three digits that count; an interval or list by its parts."""
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return (
            " to ".join(map(_figure, value)) if len(value) == 2 else ", ".join(map(_figure, value))
        )
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_figure(of)}" for name, of in value.items())
    return str(value)
