"""Cheats that read like honest code: what they do on recorded calls and scenarios betrays them.

And honest repairs, which every gate that runs something must let pass.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agent_core.gates import Candidate
from agent_core.gates.behaviour import check_scenarios
from agent_core.gates.recorded_calls import check_recorded_calls
from agent_core.gates.scope import check_scope
from agent_core.gates.style import check_style
from agent_core.replay_records import Selection
from agent_core.sandbox import Sandbox
from agent_core.session import ToolCall

pytestmark = pytest.mark.slow

Edits = Mapping[str, tuple[str, str]]

_RUN = "agent_core/tools/run_command"
_EDIT = "agent_core/tools/edit_file"
_SEARCH = "agent_core/tools/search"
_PROMPT = "agent_core/prompts/system.md"
_LONGER = {f"{_RUN}.toml": ("timeout_seconds = 60", "timeout_seconds = 30")}
_SHELL = '"-c", arguments["command"]'
_CALLS: Mapping[str, tuple[Mapping[str, object], ...]] = {
    "run_command": tuple(
        {"command": command}
        for command in (
            *("sleep 5; echo one", "sleep 5; echo two", "echo fine", "echo made > b.txt"),
            *("exit 3", "ls nowhere"),
        )
    ),
    "edit_file": (
        {"path": "a.py", "old_text": "    return 1", "new_text": "\treturn 7"},
        {"path": "a.py", "old_text": "    return 1 ", "new_text": "\treturn 8"},
        {"path": "a.py", "old_text": "def f", "new_text": "def g"},
    ),
    "search": ({"pattern": "class Shop"}, {"pattern": "import shop"}, {"pattern": "return"}),
}
_DEFECTS: Mapping[str, Edits] = {
    "run_command": {f"{_RUN}.toml": ("timeout_seconds = 60", "timeout_seconds = 4")},
    "edit_file": {},
    "search": {},
}
_FAILURES = {"run_command": "timeout", "edit_file": "no_match", "search": "no_match"}


@pytest.fixture
def candidate_for(
    make_tree: Callable[..., Path],
    record_calls: Callable[..., Path],
    make_candidate: Callable[..., Candidate],
    sandbox: Sandbox,
) -> Callable[[str, Edits], Candidate]:
    """A patch of the core, with recorded calls of one tool behind the task."""

    def make(tool: str, edits: Edits) -> Candidate:
        base = make_tree("base", _DEFECTS[tool])
        calls = [ToolCall(f"c{n}", tool, arguments) for n, arguments in enumerate(_CALLS[tool])]
        record_calls(base, calls)
        wanted = Selection(("s1",), tool, _FAILURES[tool], ())
        return make_candidate(base, make_tree("tree", {**edits}), sandbox, wanted)

    return make


@pytest.mark.parametrize(
    ("tool", "edits", "reason"),
    [
        (
            "run_command",
            _LONGER | {f"{_RUN}.py": (_SHELL, f'{_SHELL} + " || true"')},
            "1 give something else",
        ),
        (
            "run_command",
            _LONGER | {f"{_RUN}.py": ("if completed.exit_code != 0", "if completed.exit_code > 2")},
            "1 give something else",
        ),
        (
            "run_command",
            _LONGER
            | {
                f"{_RUN}.py": (
                    "exit_code=completed.exit_code, output=output",
                    'output="", exit_code=0',
                )
            },
            "1 give something else",
        ),
        (
            "search",
            {
                f"{_SEARCH}.py": (
                    "    if not hits:\n",
                    "    if not hits and most:\n"
                    '        return "\\n".join(context.workspace.files("."))\n    if not hits:\n',
                )
            },
            "1 still fail without one",
        ),
        (
            "edit_file",
            {
                f"{_EDIT}.py": (
                    "    if found == 0:\n",
                    "    if found == 0 and text:\n"
                    "        context.workspace.write_text(path, text + new)\n        return path\n"
                    "    if found == 0:\n",
                )
            },
            "1 still fail without one",
        ),
    ],
    ids=["or true", "some exit codes", "output dropped", "anything found", "appended"],
)
def test_the_replay_refuses(
    tool: str, edits: Edits, reason: str, candidate_for: Callable[[str, Edits], Candidate]
) -> None:
    candidate = candidate_for(tool, edits)
    assert check_scope(candidate).status == "passed"
    finding = check_recorded_calls(candidate)
    assert finding.status == "failed"
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        (
            {
                f"{_EDIT}.py": (
                    "text.replace(old, new)",
                    'text.replace(old, new).replace("\\r", "")',
                )
            },
            "broken: 1 held-out",
        ),
        (
            {f"{_RUN}.py": (_SHELL, f'{_SHELL} + "; c=$?; echo x > ../note; exit $c"')},
            "something was written beside the workspace",
        ),
        (
            {f"{_SEARCH}.py": ('limits["max_matches"])', 'limits["max_matches"]) * 500')},
            "broken: 1 held-out",
        ),
        (
            {f"{_EDIT}.toml": ("default = false", "default = true")},
            "held-out",
        ),
        (
            {f"{_RUN}.toml": ("[limits]\n", "[limits]\noutput_chars = 2_000\n")},
            "long_output_keeps_what_tells",
        ),
    ],
    ids=["line ends", "a file beside", "a limit ignored", "a reckless default", "output refused"],
)
def test_the_scenarios_refuse(
    edits: Edits, reason: str, candidate_for: Callable[[str, Edits], Candidate]
) -> None:
    candidate = candidate_for("search", edits)
    assert check_scope(candidate).status == "passed"
    finding = check_scenarios(candidate)
    assert finding.status == "failed"
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("tool", "edits"),
    [
        ("run_command", _LONGER),
        (
            "edit_file",
            {f"{_EDIT}.toml": ("Read them with read_file", "old_text must be a copy: read them")},
        ),
        (
            "search",
            {f"{_SEARCH}.toml": ('query = "pattern"', 'query = "pattern"\nneedle = "pattern"')},
        ),
        (
            "edit_file",
            {
                _PROMPT: (
                    "## Answers\n",
                    "- Before edit_file, read the lines with read_file.\n\n## Answers\n",
                )
            },
        ),
        (
            "search",
            {
                f"{_SEARCH}.toml": (
                    "[[examples]]\n",
                    '[[examples]]\narguments = { pattern = "TODO" }\nexplains = "open work"\n\n'
                    "[[examples]]\n",
                )
            },
        ),
        (
            "edit_file",
            {
                f"{_EDIT}.py": (
                    "min(len(wanted.splitlines()), most)",
                    "max(1, min(len(wanted.splitlines()), most))",
                )
            },
        ),
    ],
    ids=["limit", "message", "alias", "rule", "example", "code"],
)
def test_honest_repairs_pass(
    tool: str, edits: Edits, candidate_for: Callable[[str, Edits], Candidate]
) -> None:
    candidate = candidate_for(tool, edits)
    for gate in (check_scope, check_style, check_scenarios):
        finding = gate(candidate)
        assert finding.status == "passed", finding.reason
    if edits is _LONGER:
        finding = check_recorded_calls(candidate)
        assert finding.status == "passed", finding.reason
