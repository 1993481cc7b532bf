"""Decisions on proposals that were dropped in `home/inbox/` by a dashboard.

One file a decision, `schema-<proposal id>.json` with `{"decision": "accept"}` or `"reject"`. What
it holds was written by another process: it is read as data, whatever it is, and what is no such
decision or cannot be carried out is set aside in `inbox/refused/` with the reason beside it.
"""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import duckdb
from pydantic import BaseModel, ConfigDict, ValidationError

from agent_core.errors import BadInputError, ConfigError, HomeError
from facets.schema import first_problem
from pipelines.context import Context
from pipelines.runs import record_failure
from pipelines.schema_decisions import accept_proposal, reject_proposal
from pipelines.schema_proposals import stored_proposal
from pipelines.schemas import proposals_in_force, stored_versions

INBOX_STAGE = "inbox"
"""Recorded where files of a run were set aside, with their names and what is wrong with them."""
_PREFIX = "schema-"
_NAME = re.compile(r"schema-([A-Za-z0-9_-]{1,64})\.json")
_MAX_BYTES = 4_096
_MAX_FILES = 1_000
"""In one run; more are left to the next."""
_UNSHOWN = re.compile(r"[^A-Za-z0-9._-]")


class _Decision(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    decision: Literal["accept", "reject"]


def apply_inbox(context: Context) -> dict[str, int]:
    """Carry out what was dropped, in the order of the names; counts by what became of it.

    A file goes when its decision stands in the warehouse: after a kill in between it is met again
    and found to be carried out.
    """
    counts: Counter[str] = Counter(accepted=0, rejected=0, set_aside=0)
    problems: list[str] = []
    for path in _dropped(context.home.inbox):
        try:
            proposal_id, decision = _read(path)
            with context.warehouse() as connection:
                _carry_out(connection, proposal_id, decision, context)
        except (BadInputError, ConfigError) as error:
            problems.append(f"{_shown(path)}: {error}")
            _set_aside(path, str(error))
            counts["set_aside"] += 1
        else:
            path.unlink(missing_ok=True)
            counts[f"{decision}ed"] += 1
    if problems:
        record_failure(context, INBOX_STAGE, BadInputError("; ".join(problems)))
    return dict(counts)


def _dropped(inbox: Path) -> list[Path]:
    found = [path for path in inbox.iterdir() if path.name.startswith(_PREFIX)]
    return sorted(found, key=lambda path: path.name)[:_MAX_FILES]


def _read(path: Path) -> tuple[str, Literal["accept", "reject"]]:
    """Proposal and decision. Raises BadInputError for whatever is no decision."""
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise BadInputError("is not named schema-<proposal id>.json")
    try:
        return named[1], _Decision.model_validate_json(_bytes(path)).decision
    except ValidationError as error:
        raise BadInputError(f"is no decision ({first_problem(error)})") from error


def _bytes(path: Path) -> bytes:
    """The content of a plain file: no link is followed, no pipe waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BadInputError(f"cannot be read ({error.strerror})") from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise BadInputError("is not a plain file")
        content = os.read(handle, _MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(content) > _MAX_BYTES:
        raise BadInputError(f"is longer than {_MAX_BYTES} bytes")
    return content


def _carry_out(
    connection: duckdb.DuckDBPyConnection,
    proposal_id: str,
    decision: Literal["accept", "reject"],
    context: Context,
) -> None:
    if _stands(connection, proposal_id, decision):
        return
    if decision == "accept":
        accept_proposal(connection, proposal_id, context.config, context.clock(), by="inbox")
    else:
        reject_proposal(connection, proposal_id, context.clock(), by="inbox")


def _stands(connection: duckdb.DuckDBPyConnection, proposal_id: str, decision: str) -> bool:
    """Whether it was carried out already, by whomever."""
    if decision == "reject":
        return stored_proposal(connection, proposal_id).status == "rejected"
    return proposal_id in proposals_in_force(stored_versions(connection))


def _set_aside(path: Path, reason: str) -> None:
    """Moved as it is, a link as a link; the reason stands beside it. Raises HomeError."""
    refused = path.parent / "refused"
    try:
        refused.mkdir(mode=0o700, exist_ok=True)
        if refused.is_symlink():
            raise HomeError(f"{refused}: is a link; remove it, the inbox keeps refused files there")
        target = next(free for free in _names(refused, _shown(path)) if not os.path.lexists(free))
        path.rename(target)
        target.with_name(f"{target.name}.reason").write_text(reason + "\n", encoding="utf-8")
    except OSError as error:
        raise HomeError(f"{refused}: cannot be written ({error.strerror}); move it away") from error


def _names(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    for number in range(2, 1_000_000):
        yield folder / f"{name}.{number}"


def _shown(path: Path) -> str:
    """Its name, fit for a terminal and for a file beside it."""
    return _UNSHOWN.sub("_", path.name)[:100]
