"""What a text says by itself: that a machine wrote it, or that something failed."""

import re
from typing import Any

_MACHINE = (
    "<command-name>",
    "<command-message>",
    "<local-command-",
    "<system-reminder>",
    "<task-notification>",
    "<teammate-message",
    "<agent-message",
    "<bash-input>",
    "<bash-stdout>",
    "<environment_context>",
    "<recommended_plugins>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "Caveat:",
    "This session is being continued",
    "Base directory for this skill",
    "Stop hook feedback",
    "Operation stopped by hook",
    "Another Claude session sent a message",
    "[Request interrupted by user",
    "System: Please continue.",
)
_REMINDER = re.compile(r"\s*<(system-reminder|ide_opened_file|ide_selection)>.*?</\1>", re.DOTALL)
_EXIT_CODE = re.compile(r"(?:exit(?:ed with)? code:?|\"exit_code\":) ?(-?\d+)", re.IGNORECASE)
_FAILED = re.compile(
    r"error\b|failed\b|fatal:|traceback \(most recent call last\)|\w+ verification failed"
    # Codex's tools refuse arguments in words of their own.
    r"|\w+ must be at least|Full-history forked agents inherit",
    re.IGNORECASE,
)


def is_of_machine(text: str) -> bool:
    """Whether a text in the user's role was put there by a machine, or is empty."""
    bare = _without_reminders(text).strip()
    return not bare or bare.startswith(_MACHINE)


def _without_reminders(text: str) -> str:
    """What the person said after the reminders that a client puts before it."""
    found = _REMINDER.match(text)
    return _without_reminders(text[found.end() :]) if found else text


def states_failure(text: str) -> bool:
    """Whether a result's own exit code is not 0 or, where it states none, it begins as an error."""
    stated = _EXIT_CODE.search(text[:300])
    if stated:
        return stated.group(1) != "0"
    return _FAILED.match(text.lstrip()) is not None


def text_of_content(content: Any) -> str:
    """The text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(
        part["text"]
        for part in content
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    )
