"""What a file is that no reader takes: metadata, or a format that is known but not read."""

from collections.abc import Callable
from typing import Any

from pipelines.sources.fields import mapping_of, objects_of, text_of
from pipelines.sources.log_file import Head

_ZIP = b"PK\x03\x04"
_PI_KINDS = ("session", "message", "model_change", "thinking_level_change", "title")
_SPAN_KEYS = {"resourceSpans", "spanContext"}
_SPAN_PREFIXES = ("gen_ai.", "llm.", "openinference.", "input.mime_type")


def is_metadata(head: Head) -> bool:
    """Whether the document is the metadata that a capturing tool put beside a log."""
    document = head.document
    return isinstance(document, dict) and "checkpoint_id" in document and "session_id" in document


def likely_format(data: bytes, head: Head) -> str | None:
    """The format of a file that no reader takes, as far as its content gives it away."""
    if data.startswith(_ZIP):
        return "inspect" if b"header.json" in data or b"journal" in data else None
    values = _leading_objects(head)
    return next((name for name, fits in _SIGNS if any(map(fits, values))), None)


def _leading_objects(head: Head) -> list[dict[str, Any]]:
    document = head.document
    items = document[:20] if isinstance(document, list) else [document]
    return [value for value in [*items, *head.records] if isinstance(value, dict)]


def _is_gemini(value: dict[str, Any]) -> bool:
    return "projectHash" in value and "sessionId" in value


def _is_mini_swe(value: dict[str, Any]) -> bool:
    if text_of(value, "trajectory_format").startswith("mini-swe-agent"):
        return True
    content = value.get("content")
    is_output = isinstance(content, str) and content.lstrip().startswith("<returncode>")
    return value.get("role") == "user" and is_output


def _is_swe_agent(value: dict[str, Any]) -> bool:
    return isinstance(value.get("history"), list) and bool(
        {"trajectory", "environment", "info"} & value.keys()
    )


def _is_openhands(value: dict[str, Any]) -> bool:
    is_event = "source" in value and bool({"action", "observation"} & value.keys())
    is_output = "history" in value and "metrics" in value
    is_sdk_event = text_of(value, "kind").endswith(("Event", "Observation", "Action"))
    return is_event or is_output or is_sdk_event


def _is_copilot(value: dict[str, Any]) -> bool:
    kind = text_of(value, "type")
    return "." in kind and "parentId" in value and isinstance(value.get("data"), dict)


def _is_pi(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    return kind in _PI_KINDS and bool({"parentId", "pad", "cwd"} & value.keys())


def _is_open_code(value: dict[str, Any]) -> bool:
    messages = objects_of(value, "messages")
    return bool(messages) and {"info", "parts"} <= messages[0].keys()


def _is_inspect(value: dict[str, Any]) -> bool:
    if {"eval", "plan"} <= value.keys() or {"epoch", "target"} <= value.keys():
        return True
    events = objects_of(value, "events")
    return bool(events) and "event" in events[0]


def _is_cursor(value: dict[str, Any]) -> bool:
    message = mapping_of(value, "message")
    is_turn = value.get("type") == "turn_ended" and "status" in value
    return is_turn or ("content" in message and value.keys() == {"role", "message"})


def _is_telemetry(value: dict[str, Any]) -> bool:
    return bool(_SPAN_KEYS & value.keys()) or any(key.startswith(_SPAN_PREFIXES) for key in value)


_SIGNS: tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...] = (
    ("gemini_cli", _is_gemini),
    ("mini_swe_agent", _is_mini_swe),
    ("inspect", _is_inspect),
    ("copilot_cli", _is_copilot),
    ("opencode", _is_open_code),
    ("openhands", _is_openhands),
    ("swe_agent", _is_swe_agent),
    ("pi", _is_pi),
    ("cursor", _is_cursor),
    ("otlp", _is_telemetry),
)
