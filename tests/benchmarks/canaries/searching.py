"""Every place that people or programs read, searched for what must not be there."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
from streamlit.testing.v1 import AppTest

from agent_core.patching.description import pull_request_text, request_text
from agent_core.patching.outcome import PatchOutcome
from agent_core.patching.task import PatchTask
from agent_core.redaction import visible

_APP = Path(__file__).parents[3] / "dashboards" / "app.py"
_PAGES_OF_SESSIONS = 12

WAREHOUSE = "signals.duckdb"
_NO_TEXT = {"sha256"}
"""A digest, in which any short number turns up by chance."""
RAW_TABLES = {"steps"}
"""Where raw text may be, besides the folders below."""
RAW_FOLDERS = ("sessions", "replay")
# What tells which session is meant, in the log's own terms, as the exports promise it.
ID_COLUMNS = frozenset(
    {"session_key", "session_id", "source_path", "path", "source_ref", "turn_ref", "user_id"}
    | {"project", "parent_key", "converted_id", "session_keys", "item_id"}
)


def warehouse_texts(home: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of each table but the raw ones, ids of sessions left out."""
    with duckdb.connect(str(home / WAREHOUSE), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
        ).fetchall()
        for (table,) in tables:
            if table not in RAW_TABLES:
                frame = pl.DataFrame(connection.sql(f'FROM "{table}"').to_arrow_table())
                yield from _columns(f"warehouse {table}", frame)


def snapshot_texts(home: Path, *, with_ids: bool = False) -> Iterator[tuple[str, str]]:
    """(place, text) of each column of each published table."""
    for path in sorted(home.rglob("*.parquet")):
        yield from _columns(f"snapshot {path.stem}", pl.read_parquet(path), with_ids=with_ids)


def _columns(
    place: str, frame: pl.DataFrame, *, with_ids: bool = False
) -> Iterator[tuple[str, str]]:
    for name in frame.columns:
        if (with_ids or name not in ID_COLUMNS) and not _is_no_text(frame, name):
            values = frame[name].drop_nulls().to_list()
            yield f"{place}.{name}", searchable("\n".join(map(str, values)))


def _is_no_text(frame: pl.DataFrame, name: str) -> bool:
    """Digests and fractions: vectors and figures hold any short number by chance, and no word."""
    kind = frame.schema[name]
    inner = kind.inner if isinstance(kind, pl.List) else kind
    return name in _NO_TEXT or inner in (pl.Float32, pl.Float64)


def file_texts(home: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of each other file of the home."""
    for path in sorted(home.rglob("*")):
        parts = path.relative_to(home).parts
        if not path.is_file() or parts[0] in RAW_FOLDERS or path.name.startswith(WAREHOUSE):
            continue
        if path.suffix != ".parquet":
            text = path.read_bytes().decode("utf-8", "replace")
            yield f"file {'/'.join(parts[:2])}", searchable(text)


def task_texts(home: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of what a task says to the agent, and of a pull request for it."""
    with duckdb.connect(str(home / WAREHOUSE), read_only=True) as connection:
        rows = connection.execute("SELECT task FROM patch_tasks").fetchall()
    outcome = PatchOutcome("proposed", "", None, "", None, None, None, "", (), "playbook", None)
    for (row,) in rows:
        task = PatchTask.from_dict(json.loads(row))
        yield "request of a task", searchable(request_text(task, ()))
        yield "pull request of a task", searchable(pull_request_text(task, outcome, ()))


def page_texts(home: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of every element of the dashboard's pages, and of sessions with a moment.

    Of those sessions alone that state no project: the page shows it to the owner.
    """
    os.environ["SIGNALS_SNAPSHOTS"] = str(home / "snapshots")
    for page in ("overview", "session", "tasks"):
        yield f"page {page}", _page(page)
    for key in _moment_keys(home):
        yield "page session with moments", _page("session", session=key)


def row_texts(place: str, lines: str) -> Iterator[tuple[str, str]]:
    """(place, text) of the columns of JSON lines."""
    rows = [json.loads(line) for line in lines.splitlines() if line.strip()]
    for name in {name for row in rows for name in row} - ID_COLUMNS:
        text = "\n".join(json.dumps(row.get(name), ensure_ascii=False) for row in rows)
        yield f"{place}.{name}", searchable(text)


def _moment_keys(home: Path) -> list[str]:
    with duckdb.connect(str(home / WAREHOUSE), read_only=True) as connection:
        rows = connection.execute(
            "SELECT DISTINCT session_key FROM moments JOIN sessions USING (session_key) "
            "WHERE project IS NULL ORDER BY hash(session_key) LIMIT ?",
            [_PAGES_OF_SESSIONS],
        ).fetchall()
    return [str(key) for (key,) in rows]


def _page(page: str, **query: str) -> str:
    app = AppTest.from_file(_APP, default_timeout=120)
    if page != "overview":
        app.run()
        app.switch_page(f"app_pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    if app.exception:
        raise RuntimeError(f"page {page} ends in an error")
    return searchable(repr(app.main))


def searchable(text: str) -> str:
    return visible(text).casefold()
