"""Whether what a person gave holds anything to look at."""

from collections.abc import Sequence
from pathlib import Path

from agent_core.errors import NoSessionsError
from pipelines.context import Context
from pipelines.sources import find_files
from pipelines.stages.file_state import file_key
from pipelines.warehouse import query

_SHOWN = 3


def require_sessions(context: Context, paths: Sequence[Path]) -> None:
    """Raise NoSessionsError where no file below `paths`, read by now, holds a session."""
    files = [file_key(path) for path in find_files(paths)]
    with context.warehouse() as connection:
        rows = query(
            connection,
            "SELECT path, status, detail, len(session_keys) > 0 AS holds FROM source_files "
            "WHERE path IN (SELECT unnest(?)) ORDER BY path",
            [files],
        )
    if rows["holds"].any():
        return
    given = ", ".join(file_key(path) for path in paths)
    found = [
        f"{Path(path).name}: {status}{f' ({detail})' if detail else ''}"
        for path, status, detail in rows.head(_SHOWN).select("path", "status", "detail").iter_rows()
    ]
    more = [f"and {rows.height - _SHOWN} more"] if rows.height > _SHOWN else []
    what = "; ".join([*found, *more]) or "no files"
    raise NoSessionsError(f"no session in {given}: {what}")
