"""Sessions of Pi and of agents built on it."""

from pipelines.sources.formats.pi.source import Pi

SOURCE = Pi()
