"""`signals cluster`: any texts, from a file of JSON lines."""

import json
from pathlib import Path

from agent_core.embedding import Embedder
from agent_core.errors import BadInputError
from facets.clustering import Assign
from facets.texts import ClusteredRow, TextRow, cluster_texts
from pipelines.config import EmbeddingConfig


def cluster_file(path: Path, embedding: EmbeddingConfig, assign: Assign) -> list[ClusteredRow]:
    """Rows `{"id", "text"}` in, rows with cluster and name out, in the same order.

    Raises BadInputError naming the file, and the line where one is no such row.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: cannot be read as text ({error})") from error
    rows = [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return cluster_texts(rows, Embedder(embedding.model_dir).embed, assign)


def _row(path: Path, number: int, line: str) -> TextRow:
    try:
        row = json.loads(line)
        return TextRow(id=row["id"], text=row["text"])
    except (ValueError, TypeError, KeyError) as error:
        raise BadInputError(f'{path}:{number}: expected {{"id": ..., "text": ...}}') from error
