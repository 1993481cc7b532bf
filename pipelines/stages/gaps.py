"""Stage `gaps`: requests that end unserved, and the capability gaps that they amount to.

Each session is read once for its content and the rules; what is kept of it are names of a closed
vocabulary. The warehouse is open while a batch is loaded or written, never in between.
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from agent_core.embedding import Embedder
from agent_core.session import Session
from facets.gaps import GapFloors, find_gaps, probe_abstracts
from facets.proposal import Proposal
from facets.requests import RequestReading, read_requests, requests_version
from facets.resolution import without_vector
from pipelines.context import Context
from pipelines.proposal_rows import write_proposals
from pipelines.stages.embeddings import embed_texts, text_hashes
from pipelines.stages.judgement_rows import batches_of_sessions, load_unchanged
from pipelines.warehouse import query, replace_rows, transaction
from pipelines.warehouse.vectors import load_vectors

_READINGS: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "content_hash": pl.String(),
    "version": pl.String(),
    "asked": pl.List(pl.String()),
    "served": pl.List(pl.String()),
}
_UNSERVED: dict[str, pl.DataType] = {
    "session_key": pl.String(),
    "source_ref": pl.String(),
    "abstract": pl.String(),
    "topic": pl.String(),
    "action": pl.String(),
    "ending": pl.String(),
    "content_hash": pl.String(),
}
_UNREAD = """
SELECT session_key, content_hash, steps FROM sessions
WHERE exclusion IS NULL AND content_hash IS NOT NULL AND NOT EXISTS (
    FROM request_readings AS known
    WHERE (known.session_key, known.content_hash, known.version)
        = (sessions.session_key, sessions.content_hash, ?))
ORDER BY session_key
"""
_REQUESTS = """
SELECT session_key, user_id, abstract, topic, action, ending
FROM unserved_requests JOIN sessions USING (session_key, content_hash)
WHERE exclusion IS NULL ORDER BY session_key, source_ref, topic, action
"""
_ASKED = """
SELECT session_key, asked, served
FROM request_readings JOIN sessions USING (session_key, content_hash)
WHERE exclusion IS NULL ORDER BY session_key
"""


def propose_gaps(context: Context) -> dict[str, int]:
    """Read new sessions for requests, and propose the gaps that pass the floors; counts.

    What a killed run has read stays read. The proposals are of all sessions, whenever read.
    """
    read = _read_sessions(context)
    with context.warehouse() as connection:
        requests, readings = query(connection, _REQUESTS), query(connection, _ASKED)
    floors = GapFloors(context.config.min_sessions, context.config.min_users)
    found: list[Proposal] = []
    # Loading the model takes seconds: not for what cannot pass.
    if requests["session_key"].n_unique() >= floors.min_sessions:
        embed_texts(context, probe_abstracts().values())
        found = _find(context, requests, readings, floors)
    with context.warehouse() as connection, transaction(connection):
        new = write_proposals(connection, found, context.run_id, context.clock())
    return {
        "sessions_read": read,
        "unserved_requests": requests.height,
        "gaps": len(found),
        "gaps_new": new,
    }


def _read_sessions(context: Context) -> int:
    version = requests_version()
    with context.warehouse() as connection:
        unread = query(connection, _UNREAD, [version])
    done = 0
    for batch in batches_of_sessions(unread) if unread.height else ():
        with context.warehouse() as connection:
            sessions = load_unchanged(connection, batch)
        read = [(session, read_requests(session)) for session in sessions]
        hashes = dict(batch.select("session_key", "content_hash").iter_rows())
        with context.warehouse() as connection, transaction(connection):
            _write(connection, read, hashes, version)
        done += len(read)
        context.progress("sessions read for requests", done, unread.height)
    return done


def _write(
    connection: duckdb.DuckDBPyConnection,
    read: Sequence[tuple[Session, RequestReading]],
    hashes: dict[str, str],
    version: str,
) -> None:
    keys = [session.key for session, _ in read]
    connection.execute(
        "DELETE FROM unserved_requests WHERE session_key IN (SELECT unnest(?::VARCHAR[]))", [keys]
    )
    unserved = [
        (session.key, one.source_ref, one.abstract, one.topic, one.action, one.ending,
         hashes[session.key])
        for session, reading in read
        for one in reading.unserved
    ]  # fmt: skip
    readings = [
        (session.key, hashes[session.key], version, list(reading.asked), list(reading.served))
        for session, reading in read
    ]
    for table, rows, schema in (
        ("unserved_requests", unserved, _UNSERVED),
        ("request_readings", readings, _READINGS),
    ):
        replace_rows(connection, table, pl.DataFrame(rows, schema=schema, orient="row"))


def _find(
    context: Context, requests: pl.DataFrame, readings: pl.DataFrame, floors: GapFloors
) -> list[Proposal]:
    """The gaps among the requests; one without a vector, which came meanwhile, waits."""
    model_id = Embedder(context.config.embedding.model_dir).model_id
    probes = probe_abstracts()
    with context.warehouse() as connection:
        vectors = load_vectors(connection, text_hashes(requests["abstract"]), model_id)
        rows = load_vectors(connection, text_hashes(probes.values()), model_id)
    known = ~without_vector(vectors)
    return find_gaps(
        requests.filter(pl.Series(known)),
        vectors[known],
        readings,
        model_id=model_id,
        probes=dict(zip(probes, rows, strict=True)),
        floors=floors,
    )
