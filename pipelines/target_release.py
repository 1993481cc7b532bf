"""Releases of a foreign target: the last commit that touched its prompt and tool files.

A session has the release that stood when it began. Sessions of the same agent in other projects ran
with other prompts: they have no release of this target, and are left out of its statistics.
"""

import glob
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import duckdb
import polars as pl
from git import Git

from agent_core.release import AGENT_NAME
from agent_core.worktree import open_repository, readable_git_errors
from pipelines.config import TargetConfig
from pipelines.stages.exclusion import names_excluded
from pipelines.warehouse import query

_SHA_CHARS = 12


class Release(NamedTuple):
    """`since` in UTC: when the commit came to the branch that is checked out."""

    since: datetime
    name: str


def target_releases(target: TargetConfig) -> list[Release]:
    """Oldest first; empty without a foreign target. Raises TargetError.

    A merge counts when it was made: what it brought was written earlier and used by nobody.
    """
    if target.repo is None or not target.patchable:
        return []
    open_repository(target.repo).close()
    command = ["git", "log", "--first-parent", "--format=%ct %H", "--", *target.patchable]
    with readable_git_errors(f"read the history of {target.repo}"):
        lines = str(Git(target.repo).execute(command)).splitlines()
    found = [line.split(" ") for line in lines]
    return sorted(
        Release(datetime.fromtimestamp(int(at), UTC), sha[:_SHA_CHARS]) for at, sha in found
    )


def release_at(releases: Sequence[Release], started_at: datetime | None) -> str | None:
    """The release of a session that began then; None where it is unknown or there was none."""
    if started_at is None:
        return None
    place = bisect_left([release.since for release in releases], started_at)
    return releases[place - 1].name if place else None


def set_target_releases(
    connection: duckdb.DuckDBPyConnection, target: TargetConfig, releases: Sequence[Release]
) -> None:
    """Give the stored sessions of the target's agent their releases, all others their own."""
    connection.execute(_OWN_RELEASES, [AGENT_NAME])
    if not target.patchable:
        return
    sessions = query(
        connection,
        "SELECT session_key, project, started_at FROM sessions "
        "WHERE agent = ? AND format <> 'atif'",
        [target.agent],
    )
    keys, names = [], []
    for key, project, started_at in sessions.iter_rows():
        keys.append(key)
        is_in_it = _is_in_target(project, target)
        names.append(release_at(releases, started_at) if is_in_it else None)
    rows = pl.DataFrame(
        {"session_key": keys, "release": names},
        schema={"session_key": pl.String, "release": pl.String},
    )
    connection.register("incoming", rows.to_arrow())
    connection.execute(_NEW_RELEASES)
    connection.unregister("incoming")


# A target that was configured before and is no more leaves nothing behind. ATIF documents may
# state a release themselves, which then holds; of all other logs the version is what they say.
_OWN_RELEASES = """
UPDATE sessions SET release = agent_version
WHERE agent <> $1 AND format <> 'atif' AND agent_version IS NOT NULL
  AND (release IS NULL OR regexp_full_match(release, '[0-9a-f]{12}'))
  AND release IS DISTINCT FROM agent_version
"""

_NEW_RELEASES = """
UPDATE sessions SET release = incoming.release FROM incoming
WHERE incoming.session_key = sessions.session_key
  AND sessions.release IS DISTINCT FROM incoming.release
"""


def _is_in_target(project: str | None, target: TargetConfig) -> bool:
    if project is None or target.repo is None:
        return False
    own_place = [glob.escape(str(target.repo.expanduser().resolve()))]
    return names_excluded(project, project, target.projects or own_place)
