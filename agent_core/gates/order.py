"""The gates one after the other: the cheap before the dear, and none after a failure."""

import time
from collections.abc import Iterator

from agent_core.errors import SandboxError
from agent_core.gates.behaviour import check_scenarios
from agent_core.gates.recorded_calls import check_recorded_calls
from agent_core.gates.result import Candidate, Finding, Gate, GateName, GateResult
from agent_core.gates.scope import check_scope
from agent_core.gates.self_review import review
from agent_core.gates.style import check_style
from agent_core.gates.unit_tests import check_unit_tests

GATES: tuple[tuple[GateName, Gate], ...] = (
    ("scope", check_scope),
    ("style", check_style),
    ("unit tests", check_unit_tests),
    ("replay", check_recorded_calls),
    ("scenarios", check_scenarios),
    ("self-review", review),
)


def run_gates(candidate: Candidate) -> tuple[GateResult, ...]:
    """A result for every gate, in order; those after a failed one are `unscored`."""
    return tuple(_results(candidate))


def _results(candidate: Candidate) -> Iterator[GateResult]:
    failed: GateName | None = None
    for name, gate in GATES:
        if failed is not None:
            yield GateResult(name, "unscored", f"not run: {failed} failed", 0.0)
            continue
        started = time.monotonic()
        finding = _run(gate, candidate)
        yield GateResult(name, finding.status, finding.reason, time.monotonic() - started)
        if finding.status == "failed":
            failed = name


def _run(gate: Gate, candidate: Candidate) -> Finding:
    try:
        return gate(candidate)
    except SandboxError as error:
        return Finding("unscored", str(error))
