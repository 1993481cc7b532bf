"""What `[sources] exclude` names is kept from every judge, also where it is named later."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core.model import ModelReply
from agent_core.session import Tokens
from judges.publication import sealed
from judges.verdict import Judgement
from pipelines.config import Config, SourcesConfig
from pipelines.context import Context
from pipelines.stages.ingest import ingest
from pipelines.stages.judgement_rows import load_unchanged, waiting_sessions, write_judgements
from pipelines.stages.model_replies import PaidReply, keep_replies
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.conftest import NOW
from tests.pipelines.stages.test_batches import judge

REPLY = ModelReply(text="{}", refusal=None, finish_reason="stop", tokens=Tokens(1, 0, 1))


def excluding(context: Context, *patterns: str) -> Context:
    sources = SourcesConfig(exclude=[pattern for pattern in patterns if pattern])
    return replace(context, config=Config(sources=sources))


def rows(context: Context, sql: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


@pytest.fixture
def logs(context: Context, tmp_path: Path) -> Path:
    """Two sessions that are read and selected, in the folders `open` and `private`."""
    for name in ("open", "private"):
        records = said(name, f"{name}-1", 0, "Mend it."), answered(name, f"{name}-2", 1, "Done.")
        write_log(tmp_path / "logs" / name / f"{name}.jsonl", *records)
    ingest(context, [tmp_path / "logs"])
    assert summarise_sessions(context) == {"seen": 2, "selected": 2}
    return tmp_path / "logs"


@pytest.mark.parametrize("place", ["private", "private/private.jsonl"], ids=["folder", "log"])
def test_a_path_that_is_excluded_later_is_no_longer_judged(
    context: Context, logs: Path, place: str
) -> None:
    with context.warehouse() as connection:
        chosen = waiting_sessions(connection, judge().identity, NOW)
        paid = [PaidReply(key, "h", REPLY) for key in chosen["session_key"]]
        keep_replies(connection, paid, NOW)
    narrowed = excluding(context, str(logs / place))
    reason = "named by [sources] exclude"
    assert summarise_sessions(narrowed) == {"seen": 2, "selected": 1, f"excluded: {reason}": 1}
    with context.warehouse() as connection:
        assert waiting_sessions(connection, judge().identity, NOW).height == 1
        assert [one.session_id for one in load_unchanged(connection, chosen)] == ["open"]
    assert rows(context, "SELECT session_id FROM model_replies JOIN sessions USING (session_key)"
                ) == [("open",)]  # fmt: skip
    assert summarise_sessions(context) == {"seen": 2, "selected": 2}, "until it is taken back"


def test_a_project_that_is_excluded_later_is_no_longer_judged(context: Context, logs: Path) -> None:
    with context.warehouse() as connection:
        connection.execute("UPDATE sessions SET project = '/srv/' || session_id")
    summarise_sessions(excluding(context, "/srv/priv*"))
    assert rows(context, "SELECT session_id, exclusion FROM sessions ORDER BY 1") == [
        ("open", None),
        ("private", "named by [sources] exclude"),
    ]


def test_answers_that_no_verdict_will_come_of_are_dropped(context: Context, logs: Path) -> None:
    with context.warehouse() as connection:
        chosen = waiting_sessions(connection, judge().identity, NOW)
        hashes = dict(chosen.select("session_key", "content_hash").iter_rows())
        failed = [
            sealed(Judgement(one.key, judge().identity, "unscored", reason="it failed"), one)
            for one in load_unchanged(connection, chosen)
        ]
        for attempted in (failed, failed, failed[:1]):
            write_judgements(connection, attempted, hashes, NOW)
        given_up, tried = (one.session_key for one in failed)
        keep_replies(
            connection,
            [PaidReply(key, "h", REPLY) for key in (given_up, tried, "gone")],
            NOW,
        )
    summarise_sessions(context)
    assert rows(context, "SELECT session_key FROM model_replies") == [(tried,)]
    month_later = replace(context, clock=lambda: NOW + timedelta(days=31))
    summarise_sessions(month_later)
    assert rows(context, "SELECT session_key FROM model_replies") == []
