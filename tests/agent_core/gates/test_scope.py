"""Cheating patches are refused before any of their code runs."""

import dataclasses
from pathlib import Path

import pytest

from agent_core.change import FileChange
from agent_core.gates import Candidate
from agent_core.gates.result import Finding
from agent_core.gates.scope import check_scope
from agent_core.replay_records import CallHalf, RecordedCall, ReplaySet

_SPEC = """\
name = "run"
description = "Runs a command for at most {timeout_seconds} seconds."

[parameters]
type = "object"
required = ["command"]
additionalProperties = false

[parameters.properties.command]
type = "string"
description = "The command."

[aliases]
cmd = "command"

[limits]
timeout_seconds = 5
rare_limit = 10

[errors]
timeout = "timed out after {seconds} s"
command_failed = "exit code {exit_code}"

[error_fields]
timeout = ["seconds", "command"]
command_failed = ["exit_code"]
"""

_CODE = """\
from agent_core.toolkit import ToolError


def run(arguments, context):
    done = context.sandbox.run(arguments["command"])
    if done.timed_out:
        raise ToolError("timeout", seconds=5)
    if done.exit_code:
        raise ToolError("command_failed", exit_code=done.exit_code)
    return done.stdout
"""

_COMMAND = "python -m unittest tests.test_orders"


def _call(number: int) -> RecordedCall:
    arguments = {"command": _COMMAND, "directory": ".", "content": "import re\n" * 2}
    return RecordedCall("s", number, "run", arguments, True, "timeout", "timed out", {})


def _judge(*changes: FileChange) -> Finding:
    half = CallHalf(failed=(_call(1),))
    candidate = Candidate(
        changes=changes,
        diff="",
        description="",
        patchable=("agent_core/prompts", "agent_core/tools"),
        base_commit="0" * 40,
        base=Path("base"),
        tree=Path("tree"),
        scratch=Path("scratch"),
        cache=Path("cache"),
        test_command=(),
        is_core=True,
        calls=ReplaySet(Path("replay"), CallHalf(), half),
        sandbox=None,
        reviewer=None,
    )
    return check_scope(candidate)


def _spec(old: str, new: str) -> FileChange:
    assert old in _SPEC
    path = "agent_core/tools/run.toml"
    return FileChange(path, _SPEC.encode(), _SPEC.replace(old, new).encode())


def _code(old: str, new: str) -> FileChange:
    assert old in _CODE
    path = "agent_core/tools/run.py"
    return FileChange(path, _CODE.encode(), _CODE.replace(old, new).encode())


def _file(path: str, before: str | None, after: str | None) -> FileChange:
    old, new = (None if text is None else text.encode() for text in (before, after))
    return FileChange(path, old, new)


@pytest.mark.parametrize(
    "change",
    [
        _spec("timeout_seconds = 5", "timeout_seconds = 60"),
        _spec("rare_limit = 10", "rare_limit = 90"),
        _spec('"timed out after {seconds} s"', '"timed out after {seconds} s: run less"'),
        _spec('cmd = "command"', 'cmd = "command"\nline = "command"'),
        _spec('description = "The command."', 'description = "The command line, for sh."'),
        _code("return done.stdout", "return done.stdout.strip()"),
        _code("from agent_core", "import re\nfrom agent_core"),
        _file("agent_core/prompts/system.md", "# You work\n", "# You work\n- Be exact.\n"),
    ],
    ids=[
        *("higher limit", "unknown limit", "better message", "new alias", "clearer argument"),
        *("code", "harmless import", "prompt"),
    ],
)
def test_honest_repairs_pass(change: FileChange) -> None:
    where = "agent_core/prompts, agent_core/tools"
    assert _judge(change) == Finding("passed", f"1 file changed, all in {where}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_file("tests/test_run.py", "assert x", "pass"), "tests/test_run.py is out of bounds"),
        (
            _file("agent_core/gates/limits.toml", "[caps]", ""),
            "agent_core/gates/limits.toml is out of bounds",
        ),
        (
            _file("agent_core/session_log.py", "log()", ""),
            "agent_core/session_log.py is out of bounds",
        ),
        (
            _file("judges/rules/errors.py", "is_error", ""),
            "judges/rules/errors.py is out of bounds",
        ),
        (
            _file("agent_core/tools_extra/x.py", None, "x = 1\n"),
            "agent_core/tools_extra/x.py is out of bounds",
        ),
        (_file("agent_core/tools/run.py", _CODE, None), "agent_core/tools/run.py is deleted"),
        (
            _file("agent_core/tools/conftest.ini", None, "[pytest]\n"),
            "agent_core/tools/conftest.ini is neither code nor a spec, a prompt or a playbook; "
            "agent_core/tools/conftest.ini is none of the tools there are: a patch repairs, "
            "a person adds",
        ),
        (
            _file("agent_core/prompts/system.md", "# Rules\n" * 9, "# Rules\n"),
            "agent_core/prompts/system.md loses more than half of its text",
        ),
        (
            _spec('command_failed = "exit code {exit_code}"\n', ""),
            "run.toml: errors.command_failed vanishes",
        ),
        (
            _spec("timeout_seconds = 5", "timeout_seconds = 86400"),
            "run.toml: limits.timeout_seconds = 86400 is out of bounds (1 to 600)",
        ),
        (
            _spec("timeout_seconds = 5", "timeout_seconds = inf"),
            "run.toml: limits.timeout_seconds = inf is out of bounds (1 to 600)",
        ),
        (
            _spec("rare_limit = 10", "rare_limit = 1000"),
            "run.toml: limits.rare_limit = 1000 is out of bounds (1 to 100)",
        ),
        (_spec("rare_limit = 10\n", ""), "run.toml: limits.rare_limit vanishes"),
        (
            _spec('"timed out after {seconds} s"', '"everything went very well"'),
            "run.toml: errors.timeout no longer names seconds",
        ),
        (
            _spec('"exit code {exit_code}"', '"{exit_code}"'),
            "run.toml: errors.command_failed says nothing any more",
        ),
        (
            _spec('timeout = ["seconds", "command"]', 'timeout = ["seconds"]'),
            "run.toml: error_fields.timeout loses command",
        ),
        (
            _spec('required = ["command"]', 'required = ["command", "reason"]'),
            "run.toml: the argument reason becomes required",
        ),
        (_spec('name = "run"', 'name = "walk"'), "run.toml: the tool is renamed"),
        (
            _code(
                '        raise ToolError("command_failed", exit_code=done.exit_code)',
                "        pass",
            ),
            "run.py no longer fails with 'command_failed'",
        ),
        (
            _code(
                "    return done.stdout",
                "    try:\n        return x\n    except Exception:\n        raise",
            ),
            "run.py newly catches Exception",
        ),
        (
            _code("from agent_core", "import subprocess\nfrom agent_core"),
            "run.py newly imports subprocess",
        ),
        (
            _code("from agent_core", "from agent_core.gates import order\nfrom agent_core"),
            "run.py newly imports agent_core.gates",
        ),
        (
            _code("    done =", '    if "CI" in os.environ:\n        pass\n    done ='),
            "run.py newly uses environ",
        ),
        (_code("    done =", '    eval("1")\n    done ='), "run.py newly uses eval"),
        (
            _code("return done.stdout", "return done.stdout  # type: ignore"),
            "run.py silences a check (# type: ignore)",
        ),
        (
            _code(
                "    done =",
                f'    if arguments["command"] == "{_COMMAND}":\n        pass\n    done =',
            ),
            "agent_core/tools/run.py names an argument of a recorded call: it fits that call only",
        ),
        (
            _file("agent_core/prompts/system.md", "# Rules\n", f"# Rules\nNever run {_COMMAND}.\n"),
            "agent_core/prompts/system.md names an argument of a recorded call: it fits that call "
            "only",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_cheats_are_refused(change: FileChange, reason: str) -> None:
    assert _judge(change) == Finding("failed", reason)


def test_a_link_is_refused() -> None:
    link = dataclasses.replace(_file("agent_core/tools/x.py", None, "/etc"), is_plain=False)
    assert _judge(link).reason.startswith("agent_core/tools/x.py becomes a link or a program")


def test_a_patch_that_changes_nothing_is_refused() -> None:
    assert _judge() == Finding("failed", "the patch changes nothing")


def test_broken_files_are_refused() -> None:
    toml = _judge(_spec("[limits]", "[limits"))
    python = _judge(_code("def run(", "def run"))
    assert toml.reason.startswith("agent_core/tools/run.toml is no valid TOML")
    assert python.reason.startswith("run.py is no valid Python")
