"""GitHub Copilot CLI's event logs."""

from pipelines.sources.formats.copilot_cli.source import CopilotCli

SOURCE = CopilotCli()
