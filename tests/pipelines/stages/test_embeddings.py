"""Stage `embeddings`: each text once for each model, batch by batch."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from agent_core.embedding import Embedder
from pipelines.context import Context
from pipelines.stages import embeddings
from pipelines.stages.embeddings import embed_texts, text_hashes
from pipelines.warehouse import query, replace_rows
from pipelines.warehouse.vectors import load_vectors
from tests.pipelines.warehouse_rows import add

DESCRIPTORS = ["the search found nothing", "the edit failed", "the person was pleased, late"]
SUMMARY = "A short session in which the agent edited files."
ABSTRACT = "an e-mail: the person asked to send an e-mail, the agent said that it could not"


def with_texts(context: Context) -> Context:
    with context.warehouse() as connection:
        for number, said in enumerate([*DESCRIPTORS, DESCRIPTORS[0], ""]):
            add(connection, "moments", moment_id=f"m{number}", judgement_id="j1", session_key="s1",
                source_ref="1", descriptor=said)  # fmt: skip
        for current in (True, False):
            add(connection, "judgements", judgement_id=f"j-{current}", session_key="s1",
                summary=SUMMARY if current else "An older verdict.", current=current)  # fmt: skip
        add(connection, "unserved_requests", session_key="s1", source_ref="1", abstract=ABSTRACT,
            topic="email", action="send", ending="declined", content_hash="hash")  # fmt: skip
    return context


def remember(context: Context, texts: list[str], model: str) -> None:
    rows = pl.DataFrame({"text_hash": text_hashes(texts), "vector": [[1.0, 0.0]] * len(texts)})
    rows = rows.with_columns(pl.col("vector").cast(pl.List(pl.Float32)), model=pl.lit(model))
    with context.warehouse() as connection:
        replace_rows(connection, "embeddings", rows)


def known(context: Context) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, "SELECT text_hash, model FROM embeddings ORDER BY 1, 2").rows()


def keyed(texts: list[str], model: str) -> list[tuple[str, str]]:
    return [(found, model) for found in sorted(text_hashes(texts).to_list())]


ALL = [*DESCRIPTORS, SUMMARY, ABSTRACT]


def test_what_is_known_is_not_computed_and_other_models_vectors_go(context: Context) -> None:
    with_texts(context)
    own = Embedder().model_id
    remember(context, [*ALL, "a name"], own)
    remember(context, ALL[:2], "another@0/fp32")
    assert embed_texts(context, ["a name"]) == {"embedded": 0, "pruned": 2}
    assert known(context) == keyed([*ALL, "a name"], own)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_texts(context)
    own, other = Embedder().model_id, "another@0/fp32"
    remember(context, ALL, other)
    monkeypatch.setattr(embeddings, "_BATCH", 2)
    compute = embeddings.vector_rows
    batches: list[list[str]] = []

    def killed(embedder: Embedder, texts: list[str]) -> pl.DataFrame:
        if len(batches) == 2:
            raise KeyboardInterrupt
        batches.append(texts)
        return compute(embedder, texts)

    monkeypatch.setattr(embeddings, "vector_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        embed_texts(context, ["a name"])
    done = [text for batch in batches for text in batch]
    assert [len(text) for text in done] == sorted(len(text) for text in done)  # no batch pads much
    assert known(context) == sorted([*keyed(ALL, other), *keyed(done, own)])
    batches.clear()
    monkeypatch.setattr(embeddings, "vector_rows", compute)
    assert embed_texts(context, ["a name"]) == {"embedded": 2, "pruned": 5}
    assert known(context) == keyed([*ALL, "a name"], own)
    with context.warehouse() as connection:
        rows = load_vectors(connection, text_hashes(DESCRIPTORS), own)
    assert np.allclose(rows, Embedder().embed(DESCRIPTORS), atol=1e-5)
