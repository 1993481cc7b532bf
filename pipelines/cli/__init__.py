"""The `signals` command."""

from pipelines.cli.entry import main

__all__ = ["main"]
