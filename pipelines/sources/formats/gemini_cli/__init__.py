"""Gemini CLI's recordings of chats."""

from pipelines.sources.formats.gemini_cli.source import GeminiCli

SOURCE = GeminiCli()
