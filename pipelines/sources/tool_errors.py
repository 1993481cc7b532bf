"""Whether a tool's result is a failure, where a format has no flag for it."""

import re
from collections.abc import Mapping
from typing import Any

from agent_core.session import Observation
from agent_core.signature import describe_failure
from pipelines.sources.fields import text_of
from pipelines.sources.json_text import NotJsonError, decode

_REJECTION = re.compile(
    r"\s*(?:The user doesn't want to (?:proceed with this tool use|take this action)"
    r"|User rejected|(?:exec command|patch|tool call|command) rejected by (?:the )?user)",
    re.IGNORECASE,
)
_COMMENT = re.compile(
    r"(?:the user said:|The user provided the following reason for the rejection:)\s*", re.I
)
# What the program says in the person's place when a question is sent back.
_NO_COMMENT = "The user wants to clarify these questions"
_COMMENT_END = "\nNote: The user's next message may contain a correction"
# Codex writes the code into a header that ends with the line "Output:"; what follows is the
# command's own text, which may say anything.
_EXIT_CODE = re.compile(
    r"^(?:Exit code:? |Process exited with code |exited with code |Command failed with exit code )"
    r"(-?\d+)",
    re.MULTILINE | re.IGNORECASE,
)
_RETURN_CODE = re.compile(r"\s*<returncode>\s*(-?\d+)\s*</returncode>")
_FAILED_START = re.compile(
    r"\s*(?:<tool_use_error>|error:|error executing|traceback \(most recent call last\)"
    r"|apply_patch verification failed|failed to parse function arguments|unsupported call"
    r"|execution error:|exec_command failed|script failed|script error|aborted by user"
    r"|failed in sandbox \w+ with|command timed out after \d"
    r"|full-history forked agents inherit|write_stdin failed|\w+ must be at least \d+$"
    r"|(?:\w+error|\w+exception): )",
    re.IGNORECASE,
)
_HEADER_CHARS = 600
_FAILURE_JSON_CHARS = 20_000


def observe(
    content: str, *, call_id: str | None, is_error: bool, source_ref: str | None
) -> Observation:
    """An observation with its error class and signature filled in."""
    if not is_error:
        return Observation(call_id, content, source_ref=source_ref)
    error_class, signature = describe_failure(content)
    if is_rejection(content):
        error_class = "rejected"
    return Observation(call_id, content, True, error_class, signature, source_ref)


def looks_failed(content: str) -> bool:
    """Whether the text of a result says by its form that the call failed."""
    header = content[:_HEADER_CHARS].split("\nOutput:", 1)[0]
    if match := _RETURN_CODE.match(header) or _EXIT_CODE.search(header):
        return int(match.group(1)) != 0
    return bool(_FAILED_START.match(header) or is_rejection(header)) or _is_error_object(content)


def is_rejection(content: str) -> bool:
    """Whether the person refused the call."""
    return bool(_REJECTION.match(content))


def rejection_comment(content: str) -> str:
    """What the person said when refusing a call, else an empty string."""
    match = _COMMENT.search(content)
    comment = content[match.end() :].partition(_COMMENT_END)[0].strip() if match else ""
    return "" if comment.startswith(_NO_COMMENT) else comment


def codex_result(output: Any) -> tuple[str, bool]:
    """Text of a Codex output and whether it failed: a text, a list of parts, a JSON object or
    the JSON text of one (`{"output", "metadata": {"exit_code"}}`).
    """
    if isinstance(output, str):
        unpacked = _unpack(output)
        return _object_result(unpacked) if unpacked else (output, looks_failed(output))
    if isinstance(output, list):
        return _parts_result([text_of(part, "text") for part in output])
    return _object_result(output) if isinstance(output, dict) else ("", False)


def _object_result(output: Mapping[str, Any]) -> tuple[str, bool]:
    inner = output.get("output", output.get("content"))
    text, failed = (inner, looks_failed(inner)) if isinstance(inner, str) else ("", False)
    if isinstance(inner, list):
        text, failed = _parts_result([text_of(part, "text") for part in inner])
    metadata = output.get("metadata")
    code = metadata.get("exit_code") if isinstance(metadata, dict) else output.get("exit_code")
    return text, failed or code not in (0, None) or output.get("success") is False


def _parts_result(texts: list[str]) -> tuple[str, bool]:
    """A script's output: a header of its own, then what it printed of the calls it made."""
    content = "\n".join(text for text in texts if text)
    if not texts or looks_failed(texts[0]):
        return content, bool(texts)
    return content, any(_is_failed_call(text) for text in texts[1:])


def _is_failed_call(text: str) -> bool:
    """Whether a script printed a command's result object, with an exit code that is not 0."""
    result = _unpack(text) if '"exit_code"' in text else None
    code = result.get("exit_code") if result else None
    return isinstance(code, int) and code != 0


def _unpack(output: str) -> dict[str, Any] | None:
    """The object in a JSON text that wraps an output; None for any other text."""
    if not output.startswith("{") or '"output"' not in output:
        return None
    try:
        value = decode(output.encode("utf-8", "replace"))
    except NotJsonError:
        return None
    return value if isinstance(value, dict) and "output" in value else None


def _is_error_object(content: str) -> bool:
    """Whether a result is a JSON object whose first key is a filled `error`."""
    if not re.match(r'\s*\{\s*"error"\s*:', content) or len(content) > _FAILURE_JSON_CHARS:
        return False
    try:
        value = decode(content.encode("utf-8", "replace"))
    except NotJsonError:
        return False
    return isinstance(value, dict) and bool(value.get("error"))
