"""From log files to a new count facet: branch switches, found as if nobody had thought of them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from facets.schema import load_seed_schema
from pipelines.context import Context
from pipelines.schema_decisions import accept_proposal
from pipelines.schemas import ensure_schema
from pipelines.stages.facets import fill_facets
from pipelines.stages.ingest import ingest
from pipelines.stages.measures import fill_measures
from pipelines.stages.moments import collect_moments
from pipelines.stages.quantities import propose_quantities
from pipelines.stages.rules_judgements import judge_by_rules
from pipelines.stages.sessions import summarise_sessions
from tests.pipelines.claude_log import line, said, write_log
from tests.pipelines.conftest import NOW

_SESSIONS = 260
_COMPLAINTS = (
    "No, that is wrong. This is not what I asked for.",
    "That is not right, you changed the wrong thing. Please fix it.",
    "This is still broken, it does not work.",
)
_GOING_ON = (
    "Now do the same for the second list please.",
    "Next, add a column with the totals of each month.",
    "Then write the figures into the report as well.",
)
_PLAIN = ("ls src", "cat notes.md", "make report", "rg total src")


def _ran(session: str, uuid: str, minute: int, command: str) -> list[dict[str, Any]]:
    """A command of the agent and its result."""
    call = {"type": "tool_use", "id": f"call-{uuid}", "name": "Bash", "input": {"command": command}}
    answer = {"id": f"msg-{uuid}", "role": "assistant", "model": "m", "content": [call]}
    result = {"type": "tool_result", "tool_use_id": f"call-{uuid}", "content": "done"}
    return [
        line(session, uuid, minute, type="assistant", message=answer),
        line(session, f"{uuid}r", minute, type="user",
             message={"role": "user", "content": [result]}),
    ]  # fmt: skip


def _session(number: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Some rounds of commands and turns; who switches branches is complained to more often."""
    name, switches = f"s{number:03}", int(rng.poisson(1.0))
    rounds = int(rng.integers(2, 8))
    chance = 1 / (1 + math.exp(2.2 - 1.6 * math.log1p(switches)))
    commands = [str(rng.choice(_PLAIN)) for _ in range(3 * rounds)]
    for place in rng.integers(len(commands), size=switches):
        commands[place] = f"git switch topic-{place}"
    records = [said(name, f"{name}-0", 0, "Please make a report of the sales by month.")]
    for turn in range(1, rounds + 1):
        for place in range(3):
            command = commands[3 * (turn - 1) + place]
            records += _ran(name, f"{name}-{turn}-{place}", turn, command)
        texts = _COMPLAINTS if rng.random() < chance else _GOING_ON
        records.append(said(name, f"{name}-t{turn}", turn + 1, str(rng.choice(texts))))
    return records


@pytest.mark.slow
def test_branch_switches_are_found_and_become_a_facet(context: Context, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for number in range(_SESSIONS):
        write_log(tmp_path / "logs" / f"s{number:03}.jsonl", *_session(number, rng))
    _forget_branch_switches(context)
    ingest(context, [tmp_path / "logs"])
    summarise_sessions(context)
    judge_by_rules(context, parallel=False)
    collect_moments(context)
    fill_facets(context)
    fill_measures(context)

    assert propose_quantities(context)["proposals"] == 1
    with context.warehouse() as connection:
        ((proposal, name),) = connection.execute(
            "SELECT proposal_id, name FROM schema_proposals"
        ).fetchall()
        assert name == "branch_switches"
        accept_proposal(connection, proposal, context.config, NOW)
    fill_facets(context)
    assert _switches_by_facet(context) == _switches_by_measure(context)
    assert propose_quantities(context)["proposals"] == 0


def _forget_branch_switches(context: Context) -> None:
    """Begin with a schema that has no such facet."""
    seed = load_seed_schema()
    kept = tuple(facet for facet in seed.facets if facet.name != "branch_switches")
    document = seed.model_copy(update={"facets": kept}).model_dump(mode="json")
    with context.warehouse() as connection:
        ensure_schema(connection, NOW)
        connection.execute("UPDATE facet_schemas SET schema = ?", [orjson.dumps(document).decode()])


def _switches_by_facet(context: Context) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return connection.execute(
            "SELECT session_key, value::BIGINT FROM facet_values "
            "WHERE facet = 'branch_switches' AND schema_version = 2 ORDER BY session_key"
        ).fetchall()


def _switches_by_measure(context: Context) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return connection.execute(
            "SELECT session_key, value::BIGINT FROM session_measures "
            "WHERE measure = 'branch_switches' ORDER BY session_key"
        ).fetchall()
