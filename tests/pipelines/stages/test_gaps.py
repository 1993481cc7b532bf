"""Stage `gaps`: each session is read once, and what people ask for in vain is proposed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from agent_core.embedding import Embedder
from facets.gaps import probe_abstracts
from facets.requests import UnservedRequest, requests_version
from facets.topics import topic_groups
from pipelines.context import Context
from pipelines.stages import gaps, judgement_rows
from pipelines.stages.embeddings import text_hashes
from pipelines.stages.gaps import propose_gaps
from pipelines.stages.ingest import ingest
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query, replace_rows
from tests.facets.talk import places
from tests.pipelines.claude_log import answered, said, write_log

IN_VAIN = ["Please send Anna an e-mail about Heron.", "I'm unable to send e-mails."]
SERVED = ["Please convert the report to a PDF.", "I've converted it to a PDF."]
Table = list[tuple[Any, ...]]


def write(folder: Path, name: str, asked: str, answer: str) -> None:
    write_log(
        folder / f"{name}.jsonl", said(name, f"{name}-1", 0, asked), answered(name, f"{name}-2", 1,
                                                                              answer)
    )  # fmt: skip


def with_sessions(context: Context, in_vain: int, served: int) -> Path:
    """Sessions with a request each: `v0`, ... unserved ones, `s0`, ... served ones."""
    folder = context.home.root.parent / "logs"
    for number in range(in_vain):
        write(folder, f"v{number}", *IN_VAIN)
    for number in range(served):
        write(folder, f"s{number}", *SERVED)
    read_in(context, folder)
    return folder


def read_in(context: Context, folder: Path) -> None:
    ingest(context, [folder])
    summarise_sessions(context)


def with_vectors(context: Context) -> None:
    """Vectors as if the model had run before: what is cached is not computed."""
    topics = list(topic_groups())
    texts = [*probe_abstracts().values(), UnservedRequest("", "send", "email", "declined").abstract]
    vectors = places([*topics, "email"])
    frame = pl.DataFrame({"text_hash": text_hashes(texts), "vector": vectors.astype("float32")})
    frame = frame.with_columns(pl.col("vector").arr.to_list(), model=pl.lit(Embedder().model_id))
    with context.warehouse() as connection:
        replace_rows(connection, "embeddings", frame)


def rows(context: Context, sql: str) -> Table:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


UNSERVED = "SELECT session_key, source_ref, topic, action, ending FROM unserved_requests ORDER BY 1"


@pytest.mark.slow
def test_requests_in_vain_are_read_once_and_proposed_until_decided(context: Context) -> None:
    folder = with_sessions(context, in_vain=6, served=2)
    with_vectors(context)
    assert propose_gaps(context) == {
        "sessions_read": 8, "unserved_requests": 6, "gaps": 1, "gaps_new": 1,
    }  # fmt: skip
    (found,) = rows(
        context,
        "SELECT kind, target, name, support, sessions, users, stability, status, run_id, "
        "evidence, prototype FROM schema_proposals",
    )
    assert found[:9] == (
        "capability_gap", "missing_capabilities", "email", 6, 6, 1, 1.0, "open", "run-1",
    )  # fmt: skip
    evidence, prototype = orjson.loads(found[9]), orjson.loads(found[10])
    assert prototype["model"] == Embedder().model_id
    assert (evidence["served_share"], evidence["sessions_asked"]) == (0.0, 6)
    assert evidence["examples"] == [
        "an e-mail: the person asked to send an e-mail, the agent said that it could not"
    ]
    again = replace(context, run_id="run-2")
    assert propose_gaps(again) == {
        "sessions_read": 0, "unserved_requests": 6, "gaps": 1, "gaps_new": 0,
    }  # fmt: skip
    write(folder, "v6", *IN_VAIN)
    read_in(context, folder)
    assert propose_gaps(again) == {
        "sessions_read": 1, "unserved_requests": 7, "gaps": 1, "gaps_new": 0,
    }  # fmt: skip
    refreshed = "SELECT sessions, run_id, created_at FROM schema_proposals"
    assert rows(context, refreshed) == [(7, "run-2", context.clock())]
    with context.warehouse() as connection:
        connection.execute("UPDATE schema_proposals SET status = 'rejected'")
    assert propose_gaps(replace(context, run_id="run-3"))["gaps_new"] == 0
    decided = "SELECT status, run_id FROM schema_proposals"
    assert rows(context, decided) == [("rejected", "run-2")]


def test_no_word_of_a_session_is_kept(context: Context) -> None:
    with_sessions(context, in_vain=1, served=1)
    propose_gaps(context)
    kept = rows(context, "SELECT * EXCLUDE (session_key, source_ref) FROM unserved_requests")
    kept += rows(context, "SELECT * EXCLUDE (session_key) FROM request_readings")
    assert len(kept) == 3
    assert not [word for word in ("Anna", "Heron", "unable", "Please") if word in str(kept)]


@pytest.mark.slow
def test_a_session_that_goes_on_is_read_anew(context: Context) -> None:
    folder = with_sessions(context, in_vain=1, served=0)
    propose_gaps(context)
    assert [row[2:] for row in rows(context, UNSERVED)] == [("email", "send", "declined")]
    write_log(
        folder / "v0.jsonl",
        said("v0", "v0-1", 0, IN_VAIN[0]),
        answered("v0", "v0-2", 1, IN_VAIN[1]),
        said("v0", "v0-3", 2, "The key is in place now. Please send the e-mail."),
        answered("v0", "v0-4", 3, "I've sent it."),
    )
    read_in(context, folder)
    assert propose_gaps(context)["sessions_read"] == 1
    assert rows(context, UNSERVED) == []
    assert rows(context, "SELECT asked, served, version FROM request_readings") == [
        (["email"], ["email"], requests_version())
    ]


@pytest.mark.slow
def test_what_a_killed_run_has_read_stays_read(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_sessions(context, in_vain=4, served=0)
    monkeypatch.setattr(judgement_rows, "_BATCH_STEPS", 3)
    write_rows = gaps._write
    written: list[Any] = []

    def killed(*given: Any) -> None:
        if written:
            raise KeyboardInterrupt
        write_rows(*given)
        written.append(given)

    monkeypatch.setattr(gaps, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        propose_gaps(context)
    before = len(rows(context, UNSERVED))
    assert 0 < before < 4
    monkeypatch.setattr(gaps, "_write", write_rows)
    assert propose_gaps(context)["sessions_read"] == 4 - before


@pytest.mark.slow
def test_a_session_whose_log_is_gone_leaves_nothing(context: Context) -> None:
    folder = with_sessions(context, in_vain=2, served=0)
    propose_gaps(context)
    (folder / "v0.jsonl").write_text("")
    read_in(context, folder)
    assert len(rows(context, UNSERVED)) == 1
    assert len(rows(context, "SELECT * FROM request_readings")) == 1
