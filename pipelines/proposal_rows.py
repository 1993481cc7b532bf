"""Proposals on their way into the warehouse."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb
import orjson
import polars as pl

from facets.proposal import Proposal
from pipelines.warehouse import query, replace_rows

_NULLABLE: dict[str, pl.DataType] = {
    "parts": pl.List(pl.String()),
    "prototype": pl.String(),
    "facet": pl.String(),
    "cluster_id": pl.String(),
    "stability": pl.Float64(),
}


def write_proposals(
    connection: duckdb.DuckDBPyConnection, proposals: Sequence[Proposal], run_id: str, now: datetime
) -> int:
    """Keep what was found and return how many were not known before.

    One that is open gets the figures of this run; one that was decided on stays as it was.
    """
    known = query(connection, "SELECT proposal_id, status, created_at FROM schema_proposals")
    status = dict(known.select("proposal_id", "status").iter_rows())
    since = dict(known.select("proposal_id", "created_at").iter_rows())
    undecided = [one for one in proposals if status.get(one.proposal_id, "open") == "open"]
    if undecided:
        rows = [_row(one, run_id, since.get(one.proposal_id, now)) for one in undecided]
        frame = pl.DataFrame(rows, schema_overrides=_NULLABLE)
        replace_rows(connection, "schema_proposals", frame)
    return sum(one.proposal_id not in status for one in undecided)


def _row(proposal: Proposal, run_id: str, created_at: datetime) -> dict[str, Any]:
    return {
        "proposal_id": proposal.proposal_id,
        "kind": proposal.kind,
        "target": proposal.target,
        "name": proposal.name,
        "definition": proposal.definition,
        "parts": list(proposal.parts),
        "prototype": proposal.prototype.model_dump_json() if proposal.prototype else None,
        "facet": orjson.dumps(dict(proposal.facet)).decode() if proposal.facet else None,
        "cluster_id": proposal.cluster_id,
        "support": proposal.support,
        "sessions": proposal.sessions,
        "users": proposal.users,
        "stability": proposal.stability,
        "evidence": orjson.dumps(dict(proposal.evidence)).decode(),
        "status": "open",
        "created_at": created_at,
        "run_id": run_id,
    }
