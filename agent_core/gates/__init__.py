"""The gates that a patch must pass; no patch reaches them."""

from agent_core.gates.order import run_gates
from agent_core.gates.result import Candidate, GateName, GateResult, GateStatus

__all__ = ["Candidate", "GateName", "GateResult", "GateStatus", "run_gates"]
