"""Claude Code's session files."""

from pipelines.sources.formats.claude_code.source import ClaudeCode

SOURCE = ClaudeCode()
