"""Stage `clusters`: clusters keep their identity; what maps nowhere is proposed until decided."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from agent_core.embedding import Embedder
from pipelines.context import Context
from pipelines.schema_decisions import reject_proposal
from pipelines.stages.clusters import cluster_items
from pipelines.stages.embeddings import text_hashes
from pipelines.warehouse import query, replace_rows
from tests.facets.corpora import Corpus, make_corpus
from tests.pipelines.conftest import NOW

CORPUS = make_corpus([60, 40, 30], 20)
SAID = ["stopped the run", "reported a failure", "goal drifted elsewhere", "stopped a failure"]
TYPES = ["abandoned_tool_flow", "correction", "other", "other"]
Table = list[tuple[Any, ...]]

pytestmark = pytest.mark.slow  # the names of clusters are embedded by the packaged model


def fill(
    context: Context, corpus: Corpus, *, without_vector: int = 0, said: str = "the person "
) -> None:
    """A session, its verdict and one moment of friction for each row, and their vectors."""
    kinds = corpus.kinds.tolist()
    keys = [f"s{n}" for n in range(len(kinds))]
    texts = [f"midway, {said}{SAID[kind]} {n}" for n, kind in enumerate(kinds)]
    types = [TYPES[kind] for kind in kinds]
    vectors = pl.Series(list(corpus.vectors.astype("float32")), dtype=pl.List(pl.Float32))
    rows = {
        "sessions": pl.DataFrame({"session_key": keys, "session_id": keys}).with_columns(
            format=pl.lit("atif"), source_path=pl.lit("a.json"), agent=pl.lit("core"),
            is_autonomous=False, is_simulated_user=False, first_seen=pl.lit(NOW),
            content_hash=pl.lit("h"), user_id=pl.lit("u"),
        ),
        "judgements": pl.DataFrame({"judgement_id": keys, "session_key": keys}).with_columns(
            *(pl.lit("").alias(name) for name in ("judge_version", "prompt_version", "model",
                                                  "rubric_version", "summary")),
            *(pl.lit("[]").alias(name) for name in ("moments", "turns")),
            judge=pl.lit("rules"), content_hash=pl.lit("h"), status=pl.lit("judged"),
            facets=pl.lit("{}"), attempts=1, tokens_sent=0, tokens_received=0,
            judged_at=pl.lit(NOW), current=True,
        ),
        "moments": pl.DataFrame(
            {"moment_id": keys, "judgement_id": keys, "session_key": keys, "type": types,
             "judged_type": types, "descriptor": texts}
        ).with_columns(
            source_ref=pl.lit("r"), polarity=pl.lit("friction"), severity=pl.lit("low"),
            confidence=0.9, citation=pl.lit(""), evidence=pl.lit([], dtype=pl.List(pl.String)),
        ),
        "embeddings": pl.DataFrame({"text_hash": text_hashes(texts), "vector": vectors})
        .with_columns(model=pl.lit(Embedder().model_id))
        .head(len(keys) - without_vector),
    }  # fmt: skip
    with context.warehouse() as connection:
        for table, frame in rows.items():
            replace_rows(connection, table, frame)


def table(context: Context, sql: str) -> Table:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


FOUND = "SELECT kind, cluster_id, coherence > 0, reach < 1 FROM clusters ORDER BY 1, 2"
PROPOSALS = (
    "SELECT kind, target, support, sessions, users, stability, status, run_id, cluster_id "
    "FROM schema_proposals"
)


def test_what_maps_nowhere_is_proposed_once_and_refreshed(context: Context) -> None:
    fill(context, CORPUS)
    counts = cluster_items(context)
    assert counts["friction_clusters"] == 3
    assert (counts["friction_without_vector"], counts["delight_clusters"]) == (0, 0)
    assert (counts["proposals"], counts["proposals_new"]) == (1, 1)
    ((*row, cluster_id),) = table(context, PROPOSALS)
    assert row == ["new_type", "friction", 30, 30, 1, 1.0, "open", "run-1"]
    mapped = (
        "SELECT maps_to, size, sessions, users, model FROM clusters WHERE kind = 'friction' "
        "ORDER BY size DESC"
    )
    assert table(context, mapped) == [
        ("abandoned_tool_flow", 60, 60, 1, Embedder().model_id),
        ("correction", 40, 40, 1, Embedder().model_id),
        (None, 30, 30, 1, Embedder().model_id),
    ]
    before = table(context, FOUND)
    assert [kind for kind, *_ in before].count("friction") == 3
    assert ("friction_unmapped", cluster_id, True, True) in before
    again = cluster_items(replace(context, run_id="run-2"))
    assert (again["proposals"], again["proposals_new"]) == (1, 0)
    assert [(run, known) for *_, run, known in table(context, PROPOSALS)] == [("run-2", cluster_id)]
    assert table(context, FOUND) == before
    history = (
        "SELECT cluster_id, count(*), min(size) = max(size) FROM cluster_history "
        "GROUP BY 1 ORDER BY 1"
    )
    assert table(context, history) == sorted((known, 2, True) for _, known, *_ in before)


def test_what_is_no_longer_found_stays_open_under_its_last_run(context: Context) -> None:
    fill(context, CORPUS)
    cluster_items(context)
    with context.warehouse() as connection:
        connection.execute("DELETE FROM moments WHERE type = 'other'")
    assert cluster_items(replace(context, run_id="run-2"))["proposals"] == 0
    assert [row[6:8] for row in table(context, PROPOSALS)] == [("open", "run-1")]
    left = "SELECT count(*) FROM clusters WHERE kind = 'friction_unmapped'"
    assert table(context, left) == [(0,)]


def test_what_was_rejected_is_not_made_again_though_its_members_are_others(
    context: Context,
) -> None:
    fill(context, CORPUS)
    cluster_items(context)
    with context.warehouse() as connection:
        ((proposal_id,),) = query(connection, "SELECT proposal_id FROM schema_proposals").rows()
        reject_proposal(connection, proposal_id, NOW)
        connection.execute("DELETE FROM clusters")  # so that no identity is known
        connection.execute("DELETE FROM moments WHERE type = 'other' AND hash(moment_id) % 2 = 0")
    assert cluster_items(replace(context, run_id="run-2"))["proposals"] == 0
    assert [row[6:8] for row in table(context, PROPOSALS)] == [("rejected", "run-1")]


def test_items_without_a_vector_are_counted_and_left_out(context: Context) -> None:
    fill(context, CORPUS, without_vector=7)  # of the noise
    counts = cluster_items(context)
    assert counts["friction_without_vector"] == 7
    members = "SELECT count(*) FROM cluster_members WHERE kind = 'friction'"
    assert table(context, members) == [(143,)]


def test_what_does_not_say_what_happened_is_no_kind(context: Context) -> None:
    fill(context, CORPUS, said="")
    counts = cluster_items(context)
    assert (counts["friction_clusters"], counts["proposals"]) == (3, 0)


def test_an_empty_warehouse_has_no_clusters(context: Context) -> None:
    assert cluster_items(context) == {
        **{f"{kind}_{what}": 0 for kind in ("session", "friction", "delight")
           for what in ("clusters", "noise", "without_vector")},
        "proposals": 0, "proposals_new": 0,
    }  # fmt: skip
