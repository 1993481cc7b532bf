"""A small warehouse with moments, vectors and proposals, for tests of the schema's decisions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from agent_core.embedding import Embedder
from facets.proposal import Proposal
from facets.prototype import Prototype
from pipelines.config import Config, EmbeddingConfig
from pipelines.context import Context
from pipelines.home import Home
from pipelines.proposal_rows import write_proposals
from pipelines.warehouse import query
from tests.pipelines.warehouse_rows import add

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EAST, NORTH = 0.0, 90.0
"""Where a text lies on the circle that stands for the embedding space, in degrees."""


def make_context(folder: Path, **config: Any) -> Context:
    """A context whose embedding model is a file of one byte: it has an id, and embeds nothing."""
    (folder / "tiny").mkdir()
    (folder / "tiny" / "model.safetensors").write_bytes(b"x")
    embedding = EmbeddingConfig(model_dir=folder / "tiny")
    settings = Config(embedding=embedding, **config)
    return Context(Home(folder / "home").prepare(), settings, "run-1", "test", lambda: NOW)


def copy_of(context: Context, folder: Path) -> Context:
    """The same warehouse in a home of its own: a migration a test would be slow."""
    home = Home(folder / "home").prepare()
    home.warehouse.write_bytes(context.home.warehouse.read_bytes())
    return replace(context, home=home)


def model_of(context: Context) -> str:
    """The id of its embedding model."""
    return Embedder(context.config.embedding.model_dir).model_id


def prototype(context: Context, degrees: float, *, reach: float = 0.9) -> Prototype:
    """A cap around that place."""
    return Prototype(model=model_of(context), centroid=_unit(degrees), reach=reach)


def place_texts(connection: duckdb.DuckDBPyConnection, model: str, **places: float) -> None:
    """Give texts their vectors."""
    for text, degrees in places.items():
        connection.execute(
            "INSERT INTO embeddings VALUES (md5(?), ?, ?)", [text, model, list(_unit(degrees))]
        )


def add_session(
    connection: duckdb.DuckDBPyConnection,
    key: str,
    moments: Sequence[tuple[str, str]] = (),
    *,
    facets: Mapping[str, Any] | None = None,
    turns: int = 0,
    **values: Any,
) -> None:
    """A judged session with friction moments of (judged type, description), and person's turns."""
    add(connection, "sessions", session_key=key, session_id=key, **values)
    add(connection, "judgements", judgement_id=f"j-{key}", session_key=key, summary=f"sum-{key}",
        facets=dict(facets or {}))  # fmt: skip
    for number, (judged, descriptor) in enumerate(moments):
        add(connection, "moments", moment_id=f"{key}-{number}", judgement_id=f"j-{key}",
            session_key=key, source_ref=f"r{number}", type=judged, judged_type=judged,
            descriptor=descriptor)  # fmt: skip
    for number in range(turns):
        add(connection, "steps", session_key=key, source_ref=f"t{number}", position=number,
            source="user", is_person=True)  # fmt: skip


def propose(connection: duckdb.DuckDBPyConnection, proposal: Proposal) -> None:
    """Keep an open proposal, as evolution does."""
    write_proposals(connection, [proposal], "run-1", NOW)


def types_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The type of each moment, by id."""
    return dict(query(connection, "SELECT moment_id, type FROM moments ORDER BY 1").iter_rows())


def values_of(connection: duckdb.DuckDBPyConnection, facet: str, version: int) -> dict[str, Any]:
    """The value of each session for a facet, by key, those that are told as null too."""
    rows = query(
        connection,
        "SELECT session_key, value FROM facet_values WHERE facet = ? AND schema_version = ? "
        "ORDER BY 1",
        [facet, version],
    )
    return {key: None if value is None else orjson.loads(value) for key, value in rows.iter_rows()}


def _unit(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
