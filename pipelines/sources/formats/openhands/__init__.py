"""OpenHands' conversations, of the first generation (V0) and of the SDK (V1)."""

from pipelines.sources.formats.openhands.source import OpenHands

SOURCE = OpenHands()
