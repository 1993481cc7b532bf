"""Whether what a person gave holds anything to look at."""

import os
from collections.abc import Sequence
from pathlib import Path

from agent_core.errors import NoSessionsError
from pipelines.context import Context
from pipelines.stages.file_state import file_key
from pipelines.warehouse import query

_SHOWN = 3


def require_sessions(context: Context, paths: Sequence[Path]) -> None:
    """Raise NoSessionsError where no file below `paths`, read by now, holds a session."""
    given = [file_key(os.path.realpath(path)) for path in paths]
    with context.warehouse() as connection:
        rows = query(
            connection,
            "SELECT DISTINCT path, status, detail, len(session_keys) > 0 AS holds "
            "FROM source_files JOIN (SELECT unnest(?::VARCHAR[]) AS place) "
            "ON path = place OR starts_with(path, rtrim(place, '/') || '/') ORDER BY path",
            [given],
        )
    if rows["holds"].any():
        return
    named = ", ".join(file_key(path) for path in paths)
    found = [
        f"{Path(path).name}: {status}{f' ({detail})' if detail else ''}"
        for path, status, detail in rows.head(_SHOWN).select("path", "status", "detail").iter_rows()
    ]
    more = [f"and {rows.height - _SHOWN} more"] if rows.height > _SHOWN else []
    what = "; ".join([*found, *more]) or "no files"
    raise NoSessionsError(f"no session in {named}: {what}")
