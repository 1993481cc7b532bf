"""Which texts in the user's place are the machine's: FORMATS of Claude Code, Codex and ATIF."""

import re

_MACHINE_STARTS = (
    "<command-name>",
    "<command-message>",
    "<command-args>",
    "<command-contents>",
    "<local-command-",
    "<system-reminder>",
    "<task-notification>",
    "<teammate-message",
    "<agent-message",
    "<bash-input>",
    "<bash-stdout>",
    "<bash-stderr>",
    "<user-prompt-submit-hook>",
    "<ide_opened_file>",
    "<ide_selection>",
    "<ide_diagnostics>",
    "Caveat: The messages below",
    "This session is being continued",
    "Base directory for this skill",
    "Stop hook feedback",
    "Another Claude session sent a message",
    # Codex
    "<environment_context>",
    "<user_instructions>",
    "<recommended_plugins>",
    "<turn_aborted>",
    "<user_shell_command>",
    "<user_action>",
    "<subagent_notification>",
    "<skill>",
    "<permissions instructions>",
    "<INSTRUCTIONS>",
    "# AGENTS.md instructions",
    "Warning: The maximum number of unified exec processes",
    # Gemini CLI
    "System: Please continue.",
)
# What an editor or a harness puts before the person's words in one and the same text.
_LEADING_ELEMENT = re.compile(
    r"\s*+<(system-reminder|ide_opened_file|ide_selection|ide_diagnostics)>"
)
_EDITOR_CONTEXT, _EDITOR_REQUEST = "# Context from my IDE setup", "## My request for Codex:"
_INTERRUPT = re.compile(r"\[Request interrupted by user[^\]\n]{0,40}\]")


def person_text(text: str) -> str:
    """The words of the person in a user text; empty when the machine wrote all of it."""
    text = text[_end_of_elements(text) :]
    if text.startswith(_EDITOR_CONTEXT):
        text = text.rpartition(_EDITOR_REQUEST)[2].strip()
    text = without_interrupt(text)
    return "" if is_machine_text(text) else text


def _end_of_elements(text: str) -> int:
    """Where the person's own words begin: after the last closed element that stands before them."""
    end = 0
    while opened := _LEADING_ELEMENT.match(text, end):
        closed = re.compile(rf"</{opened[1]}>\s*+").search(text, opened.end())
        if closed is None:
            break
        end = closed.end()
    return end


def is_machine_text(text: str) -> bool:
    """Whether a user text is blank or begins like one of the machine's wrappers."""
    text = text.lstrip()
    return not text or text.startswith(_MACHINE_STARTS)


def is_interrupt(text: str) -> bool:
    """Whether a user text says that the person stopped the agent."""
    return bool(_INTERRUPT.match(text.lstrip()))


def without_interrupt(text: str) -> str:
    """The text without the mark that the person stopped the agent."""
    return _INTERRUPT.sub("", text, count=1).strip() if is_interrupt(text) else text
