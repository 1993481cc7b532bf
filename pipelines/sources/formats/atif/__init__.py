"""ATIF, the Agent Trajectory Interchange Format, and what the bundled agent adds to it."""

from pipelines.sources.formats.atif.source import Atif

SOURCE = Atif()
