"""Inspect's log format: `.eval` archives and `.json` logs."""

from pipelines.sources.formats.inspect.source import SOURCE, Inspect

__all__ = ["SOURCE", "Inspect"]
