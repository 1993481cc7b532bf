"""Vectors of texts out of the warehouse."""

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.warehouse.frames import query


def load_vectors(
    connection: duckdb.DuckDBPyConnection, text_hashes: pl.Series, model_id: str
) -> NDArray[np.float32]:
    """A unit row for each text by its MD5, shape (n, d); NaN where it has no vector of the model.

    d is 0 where none of the texts has one.
    """
    wanted = pl.DataFrame({"text_hash": text_hashes.unique()})
    connection.register("wanted_texts", wanted.to_arrow())
    known = query(
        connection,
        "SELECT text_hash, vector FROM embeddings SEMI JOIN wanted_texts USING (text_hash) "
        "WHERE model = ?",
        [model_id],
    )
    connection.unregister("wanted_texts")
    if not known.height:
        return np.empty((len(text_hashes), 0), dtype=np.float32)
    flat = known["vector"].explode().to_numpy()
    rows = flat.reshape(known.height, -1).astype(np.float32, copy=False)
    nowhere = np.full((1, rows.shape[1]), np.nan, dtype=np.float32)
    places = known.select("text_hash").with_row_index("place")
    asked = pl.DataFrame({"text_hash": text_hashes})
    found = asked.join(places, on="text_hash", how="left", maintain_order="left")
    place = found["place"].fill_null(known.height).to_numpy()
    result: NDArray[np.float32] = np.vstack([rows, nowhere])[place]
    return result
