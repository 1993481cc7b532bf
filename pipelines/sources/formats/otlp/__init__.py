"""OpenTelemetry GenAI and OpenInference traces, as OTLP JSON or as plain lists of spans."""

from pipelines.sources.formats.otlp.source import SOURCE

__all__ = ["SOURCE"]
