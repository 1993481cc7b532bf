"""Whether a result in a SWE-agent log is a failure: the format has neither flag nor exit code."""

import re

from pipelines.sources.tool_errors import looks_failed

# What the agent's own commands and its shell say first.
_FIRST_WORDS = re.compile(
    r"\s*(?:your proposed edit has introduced|your edit was not applied|your command was not"
    r"|your last command ran into|the command '[^\n]{0,400}' was cancelled"
    r"|no replacement was performed|wrong flag!|invalid `|usage: |(?:/bin/)?-?(?:ba)?sh: )",
    re.IGNORECASE,
)
_TIMED_OUT = re.compile(r"^EXECUTION TIMED OUT", re.MULTILINE)
_REPORT = re.compile(r"FAILED \(|={3,} .{0,200}\b\d+ (?:failed|errors?)\b")
_RAISED = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b")
_TRACEBACK = "Traceback (most recent call last):"
_COMPLAINT = re.compile(
    r"(?:no such file(?: or directory)?|command not found|permission denied"
    r"|(?:is|not) a directory)\)?$",
    re.IGNORECASE,
)
_HEAD_CHARS, _TAIL_CHARS = 600, 2000


def is_failure(output: str) -> bool:
    """Whether the text of a result tells of a refused edit, a time-out, an unknown command, a
    script that raised or tests that failed.
    """
    if looks_failed(output) or _FIRST_WORDS.match(output[:_HEAD_CHARS]):
        return True
    tail = output[-_TAIL_CHARS:].rstrip()
    if _TIMED_OUT.search(tail):
        return True
    last = tail.rpartition("\n")[2]
    if _REPORT.match(last) or (_RAISED.match(last) and _TRACEBACK in output):
        return True
    is_one_line = "\n" not in output.strip() and len(output) < _HEAD_CHARS
    return is_one_line and bool(_COMPLAINT.search(last))
