"""mini-SWE-agent's log format: `.traj.json` files of versions 1 and 2, and bare lists."""

from pipelines.sources.formats.mini_swe_agent.source import SOURCE, MiniSweAgent

__all__ = ["SOURCE", "MiniSweAgent"]
