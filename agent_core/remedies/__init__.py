"""The mechanical remedies: what the task recorded and the texts of files in, changes out."""

from agent_core.remedies.carrying_out import CarriedOut, carry_out, files_needed, needs_calls
from agent_core.remedies.case import (
    TOOLS,
    Case,
    Change,
    FailedCall,
    NothingToDoError,
    recorded_calls,
)
from agent_core.remedies.rules import Remedy

__all__ = [
    "TOOLS",
    "CarriedOut",
    "Case",
    "Change",
    "FailedCall",
    "NothingToDoError",
    "Remedy",
    "carry_out",
    "files_needed",
    "needs_calls",
    "recorded_calls",
]
