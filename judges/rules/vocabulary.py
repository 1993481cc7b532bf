"""The closed vocabulary: what may be said of tools, failures and places in a session."""

from collections.abc import Iterable
from typing import Literal

from agent_core.signature import ERROR_CLASSES

Action = Literal[
    "edited files",
    "ran commands",
    "read files",
    "searched",
    "planned",
    "delegated",
    "browsed the web",
    "used tools",
]

EXTERNAL_TOOL = "external"
"""Stands for any tool whose name is not known: names in a log are free text."""

_ACTIONS: dict[Action, tuple[str, ...]] = {
    "edited files": (
        "edit_file",
        "write_file",
        "Edit",
        "MultiEdit",
        "Write",
        "NotebookEdit",
        "apply_patch",
        "str_replace_editor",
        "str_replace_based_edit_tool",
        "replace",
        "edit",
        "write",
        "create",
    ),
    "ran commands": (
        "run_command",
        "Bash",
        "BashOutput",
        "KillShell",
        "shell",
        "shell_command",
        "exec_command",
        "write_stdin",
        "local_shell",
        "bash",
        "run_shell_command",
        "execute_bash",
        "exec",
        "python",
        "execute_ipython_cell",
    ),
    "read files": (
        "read_file",
        "list_files",
        "Read",
        "LS",
        "NotebookRead",
        "view",
        "view_image",
        "read",
        "read_many_files",
        "list_directory",
        "ls",
    ),
    "searched": (
        "search",
        "Grep",
        "Glob",
        "ToolSearch",
        "grep",
        "glob",
        "search_file_content",
        "find",
    ),
    "planned": (
        "update_plan",
        "TodoWrite",
        "TaskCreate",
        "TaskUpdate",
        "TaskList",
        "ExitPlanMode",
        "EnterPlanMode",
        "AskUserQuestion",
        "think",
        "request_user_input",
    ),
    "delegated": (
        "Task",
        "Agent",
        "Skill",
        "TaskOutput",
        "SendMessage",
        "spawn_agent",
        "send_message",
        "wait_agent",
        "list_agents",
    ),
    "browsed the web": ("WebFetch", "WebSearch", "web_search", "web_fetch", "browser"),
    "used tools": ("submit", "finish"),
}
_ACTION_OF = {name: action for action, names in _ACTIONS.items() for name in names}

_FAILURE_WORDS = {
    "timeout": "ran out of time",
    "no_match": "found no matching text",
    "not_found": "missed a file or name",
    "permission": "lacked permission",
    "invalid_arguments": "got unusable arguments",
    "syntax": "met broken syntax",
    "test_failure": "saw failing tests",
    "command_failed": "ended with a failing status",
    "rate_limit": "hit a rate limit",
    "network": "lost the network",
    "output_limit": "produced too much output",
    "unknown_tool": "was not available",
    "rejected": "was declined",
    "api_error": "broke on the service side",
    "other": "failed",
}

KNOWN_TOOLS: frozenset[str] = frozenset(_ACTION_OF)


def tool_name(name: str | None, target_tools: frozenset[str] = frozenset()) -> str | None:
    """The tool's name where it is public knowledge or the target's own; else `external`."""
    if name is None:
        return None
    return name if name in KNOWN_TOOLS or name in target_tools else EXTERNAL_TOOL


def known_class(error_class: str | None) -> str | None:
    """A class of the closed list; what a log claims beyond it is `other`."""
    if error_class is None:
        return None
    return error_class if error_class in ERROR_CLASSES else "other"


def failure_words(error_class: str) -> str:
    """What a failure of a class did, as a verb phrase."""
    return _FAILURE_WORDS[error_class]


def actions(tools: Iterable[str | None]) -> list[Action]:
    """What the agent did, in the order of the vocabulary, without repeats."""
    done = {_ACTION_OF.get(tool or "", "used tools") for tool in tools}
    return [action for action in _ACTIONS if action in done]


def place(position: int, count: int) -> str:
    """Where in the session the segment at a 0-based position of `count` lies."""
    if position == 0:
        return "at the start of the session"
    if position == count - 1:
        return "at the end of the session"
    third = 3 * position // count
    return ("early in the session", "midway in the session", "late in the session")[third]
