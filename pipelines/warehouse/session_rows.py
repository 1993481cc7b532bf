"""Sessions as rows of `sessions` and `steps`, and back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import duckdb
import orjson
import polars as pl

from agent_core.session import Observation, Session, Step, Tokens, ToolCall
from pipelines.warehouse.frames import query

STEP_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "session_key": pl.String,
    "source_ref": pl.String,
    "position": pl.Int64,
    "source_path": pl.String,
    "source": pl.String,
    "text": pl.String,
    "reasoning": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
    "is_person": pl.Boolean,
    "event": pl.String,
    "is_copied_context": pl.Boolean,
    "log_says_copied": pl.Boolean,
    "content_id": pl.String,
    "model": pl.String,
    "api_call_id": pl.String,
    "input_tokens": pl.Int64,
    "cached_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "reasoning_tokens": pl.Int64,
    "cache_write_tokens": pl.Int64,
    "cache_write_hour_tokens": pl.Int64,
    "cost_usd": pl.Float64,
    "tool_calls": pl.String,
    "observations": pl.String,
    "calls": pl.Int64,
    "errors": pl.Int64,
}
_TEXT, _OBSERVATIONS = (list(STEP_SCHEMA).index(name) for name in ("text", "observations"))
_TOKEN_FIELDS = tuple(field.name for field in fields(Tokens))
_TOKENS_OF = attrgetter(*_TOKEN_FIELDS)
_NO_TOKENS = (None,) * len(_TOKEN_FIELDS)
HEADER_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "session_key": pl.String,
    "format": pl.String,
    "session_id": pl.String,
    "source_path": pl.String,
    "agent": pl.String,
    "agent_version": pl.String,
    "release": pl.String,
    "user_id": pl.String,
    "project": pl.String,
    "parent_key": pl.String,
    "converted_agent": pl.String,
    "converted_id": pl.String,
    "is_autonomous": pl.Boolean,
    "is_simulated_user": pl.Boolean,
    "started_at": pl.Datetime("us", "UTC"),
    "ended_at": pl.Datetime("us", "UTC"),
    "outcome": pl.String,
}


EMPTY_STEPS = pl.DataFrame(schema=STEP_SCHEMA)
_FRAME_CHARS = 1 << 23


def step_frames(sessions: Iterable[Session]) -> Iterator[pl.DataFrame]:
    """A row for each step, in STEP_SCHEMA, a few megabytes in each frame.

    `is_copied_context` is as the log says it. Of steps with one key in one file the first counts.
    """
    rows: list[tuple[Any, ...]] = []
    taken: set[tuple[str, str, str]] = set()
    size = 0
    for session in sessions:
        for position, step in enumerate(session.steps):
            key = (session.source_path, session.key, step.source_ref)
            if key in taken:
                continue
            taken.add(key)
            rows.append(row := _step_row(session, position, step))
            size += len(row[_TEXT]) + len(row[_OBSERVATIONS])
            if size > _FRAME_CHARS:
                yield pl.DataFrame(rows, schema=STEP_SCHEMA, orient="row")
                rows, size = [], 0
    if rows:
        yield pl.DataFrame(rows, schema=STEP_SCHEMA, orient="row")


def _step_row(session: Session, position: int, step: Step) -> tuple[Any, ...]:
    tokens = step.tokens
    return (
        session.key,
        step.source_ref,
        position,
        step.source_path or session.source_path,
        step.source,
        step.text,
        step.reasoning,
        step.timestamp,
        step.is_person,
        step.event,
        step.is_copied_context,
        step.is_copied_context,
        step.content_id,
        step.model,
        step.api_call_id,
        *(_TOKENS_OF(tokens) if tokens else _NO_TOKENS),
        step.cost_usd,
        _json(step.tool_calls),
        _json(step.observations),
        len(step.tool_calls),
        sum(seen.is_error for seen in step.observations),
    )


def _json(value: tuple[ToolCall, ...] | tuple[Observation, ...]) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode() if value else "[]"


def header_frame(rows: Iterable[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows of `header_row` as a frame, in HEADER_SCHEMA."""
    return pl.DataFrame(list(rows), schema=HEADER_SCHEMA, orient="row")


def header_row(session: Session) -> tuple[Any, ...]:
    """What the log says of a session as a whole, in the order of HEADER_SCHEMA."""
    return (
        session.key,
        session.format,
        session.session_id,
        session.source_path,
        session.agent,
        session.agent_version,
        session.release,
        session.user,
        session.project,
        session.parent_key,
        *(session.conversion_of or (None, None)),
        session.is_autonomous,
        session.is_simulated_user,
        session.started_at,
        session.ended_at,
        session.outcome,
    )


def load_sessions(
    connection: duckdb.DuckDBPyConnection, session_keys: Sequence[str]
) -> list[Session]:
    """The sessions of `session_keys` in canonical form, in the order of their keys."""
    headers = query(
        connection,
        "SELECT * FROM sessions WHERE session_key IN (SELECT unnest(?)) ORDER BY session_key",
        [list(session_keys)],
    )
    steps = query(
        connection,
        "SELECT * FROM steps WHERE session_key IN (SELECT unnest(?)) "
        "ORDER BY session_key, position, source_ref",
        [list(session_keys)],
    )
    by_key = steps.partition_by("session_key", as_dict=True, include_key=True)
    return [
        _session(header, by_key.get((header["session_key"],), steps.clear()))
        for header in headers.iter_rows(named=True)
    ]


def _session(header: dict[str, Any], steps: pl.DataFrame) -> Session:
    return Session(
        key=header["session_key"],
        format=header["format"],
        session_id=header["session_id"],
        source_path=header["source_path"],
        steps=tuple(_step(row) for row in steps.iter_rows(named=True)),
        agent=header["agent"],
        agent_version=header["agent_version"],
        release=header["release"],
        user=header["user_id"],
        project=header["project"],
        parent_key=header["parent_key"],
        is_autonomous=header["is_autonomous"],
        is_simulated_user=header["is_simulated_user"],
        started_at=_utc(header["started_at"]),
        ended_at=_utc(header["ended_at"]),
        outcome=header["outcome"],
    )


def _step(row: dict[str, Any]) -> Step:
    return Step(
        source_ref=row["source_ref"],
        source=row["source"],
        text=row["text"],
        timestamp=_utc(row["timestamp"]),
        is_person=row["is_person"],
        event=row["event"],
        reasoning=row["reasoning"],
        tool_calls=tuple(ToolCall(**call) for call in orjson.loads(row["tool_calls"])),
        observations=tuple(Observation(**found) for found in orjson.loads(row["observations"])),
        model=row["model"],
        tokens=_tokens(row),
        cost_usd=row["cost_usd"],
        api_call_id=row["api_call_id"],
        content_id=row["content_id"],
        is_copied_context=row["is_copied_context"],
        source_path=row["source_path"],
    )


def _tokens(row: dict[str, Any]) -> Tokens | None:
    if row["input_tokens"] is None:
        return None
    return Tokens(*(row[f"{name}_tokens"] or 0 for name in _TOKEN_FIELDS))


def _utc(value: datetime | None) -> datetime | None:
    return value.astimezone(UTC) if value else None
