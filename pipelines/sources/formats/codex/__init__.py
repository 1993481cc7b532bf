"""Codex CLI's rollouts."""

from pipelines.sources.formats.codex.source import Codex

SOURCE = Codex()
