"""When friction is a breach: exact tests within users, at looks that were paid for."""

from pipelines.thresholds.breach import (
    MOMENT_SCHEMA,
    SESSION_SCHEMA,
    Breach,
    Floors,
    Tested,
)
from pipelines.thresholds.change_points import ChangePoint
from pipelines.thresholds.finding import find_breaches
from pipelines.thresholds.spending import Look

__all__ = [
    "MOMENT_SCHEMA",
    "SESSION_SCHEMA",
    "Breach",
    "ChangePoint",
    "Floors",
    "Look",
    "Tested",
    "find_breaches",
]
