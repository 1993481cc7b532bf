"""Decisions dropped by a dashboard: carried out once; what is no decision is set aside by name."""

import os
from pathlib import Path

import pytest

from facets.proposal import Proposal
from pipelines.context import Context
from pipelines.runs import failure_of
from pipelines.schema_decisions import accept_proposal
from pipelines.schema_inbox import INBOX_STAGE, apply_inbox
from pipelines.schemas import current_schema
from pipelines.warehouse import query
from tests.pipelines.schema_world import NOW, copy_of, make_context, propose

ACCEPT = b'{"decision": "accept"}'
REJECT = b'{"decision": "reject"}'
NOTHING = {"accepted": 0, "rejected": 0, "set_aside": 0}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Two open proposals."""
    context = make_context(tmp_path_factory.mktemp("template"))
    with context.warehouse() as connection:
        propose(connection, Proposal("p1", "retire", "friction", "backtracking", ""))
        propose(connection, Proposal("p2", "new_type", "friction", "drift", "Drifts."))
    return context


@pytest.fixture
def world(template: Context, tmp_path: Path) -> Context:
    """A copy for each test to change."""
    return copy_of(template, tmp_path)


def _drop(world: Context, name: str, content: bytes) -> Path:
    path = world.home.inbox / name
    path.write_bytes(content)
    return path


def _statuses(world: Context) -> dict[str, str]:
    with world.warehouse() as connection:
        rows = query(connection, "SELECT proposal_id, status FROM schema_proposals ORDER BY 1")
    return dict(rows.iter_rows())


def _left(world: Context) -> list[str]:
    inbox = world.home.inbox
    return sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*"))


def test_decisions_are_carried_out_and_their_files_go(world: Context) -> None:
    _drop(world, "schema-p1.json", ACCEPT)
    _drop(world, "schema-p2.json", REJECT)
    other = _drop(world, "task-1.json", b"not ours")
    assert apply_inbox(world) == {"accepted": 1, "rejected": 1, "set_aside": 0}
    assert _statuses(world) == {"p1": "accepted", "p2": "rejected"}
    with world.warehouse() as connection:
        assert "backtracking" not in current_schema(connection).known_values("friction")
        decided = "SELECT decision, proposal_id, decided_by FROM schema_decisions ORDER BY number"
        assert query(connection, decided).rows() == [
            ("accept", "p1", "inbox"), ("reject", "p2", "inbox")
        ]  # fmt: skip
    assert _left(world) == [other.name]
    assert apply_inbox(world) == NOTHING


def test_a_decision_that_stands_already_is_done(world: Context) -> None:
    """As after a kill between the decision and the removal of its file."""
    with world.warehouse() as connection:
        accept_proposal(connection, "p1", world.config, NOW)
    _drop(world, "schema-p1.json", ACCEPT)
    assert apply_inbox(world) == {"accepted": 1, "rejected": 0, "set_aside": 0}
    with world.warehouse() as connection:
        assert current_schema(connection).version == 2
    assert _left(world) == []


def test_what_is_no_decision_is_named_and_set_aside(world: Context) -> None:
    reasons = _drop_bad_files(world)
    assert apply_inbox(world) == {**NOTHING, "set_aside": len(reasons)}
    assert _statuses(world) == {"p1": "open", "p2": "open"}
    told = failure_of(world, INBOX_STAGE) or ""
    assert [line.split(": ", 1)[0] for line in told.split("; schema-")] == [
        name.removeprefix("schema-" if number else "") for number, name in enumerate(reasons)
    ]
    assert not {"\n", "\x1b"} & set(told)
    refused = world.home.inbox / "refused"
    for name, reason in reasons.items():
        assert os.path.lexists(refused / name)
        assert (refused / f"{name}.reason").read_text().startswith(reason)
    assert len(_left(world)) == 1 + 2 * len(reasons)
    assert apply_inbox(world) == NOTHING


def _drop_bad_files(world: Context) -> dict[str, str]:
    """The names that they are set aside under, in their order, and why."""
    inbox = world.home.inbox
    outside = world.home.root / "elsewhere.json"
    outside.write_bytes(ACCEPT)
    (inbox / "schema-a-link.json").symlink_to(outside)
    os.mkfifo(inbox / "schema-b-pipe.json")
    (inbox / "schema-c-folder.json").mkdir()
    for name, content in (
        ("d-words", b"accept"),
        ("e-other", b'{"decision": "maybe"}'),
        ("f-more", b'{"decision": "accept", "x": 1}'),
        ("g-deep", b"[" * 4_000),
        ("h-long", b" " * 5_000),
        ("i-bytes", b'{"decision": "\xff"}'),
        ("j-unknown", ACCEPT),
    ):
        _drop(world, f"schema-{name}.json", content)
    _drop(world, "schema-p1.json.draft", ACCEPT)
    _drop(world, "schema-p\x1b[31m'; DROP.json", ACCEPT)
    return {
        "schema-a-link.json": "cannot be read (",
        "schema-b-pipe.json": "is not a plain file",
        "schema-c-folder.json": "is not a plain file",
        "schema-d-words.json": "is no decision (Invalid JSON",
        "schema-e-other.json": "is no decision (decision: Input should be 'accept' or 'reject')",
        "schema-f-more.json": "is no decision (x: Extra inputs are not permitted)",
        "schema-g-deep.json": "is no decision (Invalid JSON",
        "schema-h-long.json": "is longer than 4096 bytes",
        "schema-i-bytes.json": "is no decision (Invalid JSON",
        "schema-j-unknown.json": "j-unknown: no open proposal of that id; open are: p1, p2",
        "schema-p__31m___DROP.json": "is not named schema-<proposal id>.json",
        "schema-p1.json.draft": "is not named schema-<proposal id>.json",
    }


def test_one_bad_file_keeps_no_other_from_its_way(world: Context) -> None:
    for content in (b"x", b"y"):
        _drop(world, "schema-p1.json", content)
        _drop(world, "schema-p2.json", ACCEPT)
        assert apply_inbox(world)["set_aside"] == 1
    assert _statuses(world) == {"p1": "open", "p2": "accepted"}
    assert _left(world) == [
        "refused",
        "refused/schema-p1.json",
        "refused/schema-p1.json.2",
        "refused/schema-p1.json.2.reason",
        "refused/schema-p1.json.reason",
    ]


def test_a_proposal_that_applies_no_more_is_set_aside_and_stays_open(world: Context) -> None:
    with world.warehouse() as connection:
        propose(connection, Proposal("p3", "retire", "friction", "backtracking", ""))
        accept_proposal(connection, "p1", world.config, NOW)
    _drop(world, "schema-p3.json", ACCEPT)
    assert apply_inbox(world)["set_aside"] == 1
    assert "proposal p3: friction has no backtracking" in (failure_of(world, INBOX_STAGE) or "")
    assert _statuses(world)["p3"] == "open"
