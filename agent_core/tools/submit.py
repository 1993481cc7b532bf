"""Ends the work on a request."""

from collections.abc import Mapping
from typing import Any

from agent_core.toolkit import ToolContext


def run(arguments: Mapping[str, Any], context: ToolContext) -> str:
    """Acknowledges; the loop reads status and summary from the arguments."""
    return f"submitted: {arguments['status']}"
