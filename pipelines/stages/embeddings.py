"""Stage `embeddings`: a vector for every abstract text, computed once for each model."""

import hashlib
from collections.abc import Iterable, Sequence

import duckdb
import polars as pl

from agent_core.embedding import Embedder
from pipelines.context import Context
from pipelines.warehouse import query, replace_rows

_BATCH = 4_096
"""Texts between two writes: some ten seconds of work are lost at most, and 6 MB are in memory."""

# Summaries and moment descriptions are clustered apart, but a vector depends on its text alone.
# Texts of one length come together, so that no batch of the model pads much.
_MISSING = """
SELECT DISTINCT md5(text) AS text_hash, text
FROM (SELECT descriptor AS text FROM moments
      UNION ALL SELECT summary FROM judgements WHERE current
      UNION ALL SELECT abstract FROM unserved_requests
      UNION ALL SELECT text FROM also)
WHERE text <> '' AND md5(text) NOT IN (SELECT text_hash FROM embeddings WHERE model = ?)
ORDER BY length(text), text_hash
"""


def embed_texts(context: Context, also: Iterable[str] = ()) -> dict[str, int]:
    """Embed what has no vector yet, and `also` texts that stand in no table; counts.

    The model runs while the warehouse is closed. Each batch is written as it is done: what a
    killed run has embedded stays. When all is embedded, vectors of other models go (`pruned`): no
    distance is measured between vectors of two models.
    """
    embedder = Embedder(context.config.embedding.model_dir)
    with context.warehouse() as connection:
        missing = _missing(connection, also, embedder.model_id)
    done = 0
    for batch in missing.iter_slices(_BATCH):
        rows = vector_rows(embedder, batch["text"].to_list())
        with context.warehouse() as connection:
            replace_rows(connection, "embeddings", rows)
        done += batch.height
        context.progress("texts embedded", done, missing.height)
    with context.warehouse() as connection:
        pruned = _prune(connection, embedder.model_id)
    return {"embedded": done, "pruned": pruned}


def text_hashes(texts: Iterable[str]) -> pl.Series:
    """The key of each text in `embeddings`, as DuckDB's md5 has it."""
    return pl.Series([hashlib.md5(text.encode()).hexdigest() for text in texts], dtype=pl.String)


def vector_rows(embedder: Embedder, texts: Sequence[str]) -> pl.DataFrame:
    """Rows of `embeddings` for these texts, computed now."""
    vectors = pl.Series("vector", embedder.embed(texts)).arr.to_list()
    model = pl.lit(embedder.model_id).alias("model")
    return pl.DataFrame({"text_hash": text_hashes(texts), "vector": vectors}).with_columns(model)


def _missing(
    connection: duckdb.DuckDBPyConnection, also: Iterable[str], model_id: str
) -> pl.DataFrame:
    frame = pl.DataFrame({"text": pl.Series(list(also), dtype=pl.String)})
    connection.register("also", frame.to_arrow())
    missing = query(connection, _MISSING, [model_id])
    connection.unregister("also")
    return missing


def _prune(connection: duckdb.DuckDBPyConnection, model_id: str) -> int:
    gone = connection.execute("SELECT count(*) FROM embeddings WHERE model <> ?", [model_id])
    number = int(gone.fetchall()[0][0])
    if number:
        connection.execute("DELETE FROM embeddings WHERE model <> ?", [model_id])
    return number
