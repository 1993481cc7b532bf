"""SWE-agent's log format: `.traj` files of versions 0.x and 1.x."""

from pipelines.sources.formats.swe_agent.source import SOURCE, SweAgent

__all__ = ["SOURCE", "SweAgent"]
