"""Stage `embeddings`: a vector for every abstract text, computed once for each model."""

import polars as pl

from agent_core.embedding import Embedder
from pipelines.context import Context
from pipelines.warehouse import query, replace_rows

_BATCH = 4_096

# Summaries and moment descriptions are clustered apart, but a vector depends on its text alone.
_MISSING = """
SELECT DISTINCT md5(text) AS text_hash, text
FROM (SELECT descriptor AS text FROM moments
      UNION SELECT summary FROM judgements WHERE current)
WHERE text <> '' AND md5(text) NOT IN (SELECT text_hash FROM embeddings WHERE model = ?)
ORDER BY text_hash
"""


def embed_texts(context: Context) -> dict[str, int]:
    """Embed what has no vector yet; the model runs while the warehouse is closed."""
    embedder = Embedder(context.config.embedding.model_dir)
    with context.warehouse() as connection:
        missing = query(connection, _MISSING, [embedder.model_id])
    for batch in missing.iter_slices(_BATCH):
        vectors = embedder.embed(batch["text"].to_list())
        rows = pl.DataFrame(
            {
                "text_hash": batch["text_hash"],
                "model": [embedder.model_id] * batch.height,
                "vector": pl.Series(list(vectors), dtype=pl.List(pl.Float32)),
            }
        )
        with context.warehouse() as connection:
            replace_rows(connection, "embeddings", rows)
    return {"embedded": missing.height}
