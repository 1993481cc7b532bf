"""mini-SWE-agent: results are user messages with a return code, or tool messages."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources import read_file
from tests.pipelines.sources.format_table import Case, check_case

_PROMPTS: list[dict[str, Any]] = [
    {"role": "system", "content": "You use a shell."},
    {"role": "user", "content": "The sum is wrong."},
]
_OK = "<returncode>0</returncode>\n<output>\na.py\n</output>"
_FAILED = "<returncode>2</returncode>\n<output>\nls: /b: No such file or directory\n</output>"
_FORMAT_ERROR = "Please always provide EXACTLY ONE action in triple backticks, found 2 actions."
_TIMEOUT = "The last command <command>sleep 9</command> timed out and has been killed."


def _user(content: str, **extra: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **({"extra": extra} if extra else {})}


def _said(*commands: str, mark: str = "bash", **more: Any) -> dict[str, Any]:
    blocks = [f"```{mark}\n{command}\n```" for command in commands]
    return {"role": "assistant", "content": "\n".join(["THOUGHT: look.", *blocks]), **more}


def _response(number: int, **usage: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "x", "reasoning": f"Thought {number}."}
    return {
        "id": f"gen-{number}",
        "model": "m-1",
        "object": "chat.completion",
        "created": 1763509354 + number,
        "choices": [{"message": message}],
        "usage": {"prompt_tokens": 10 * number, "completion_tokens": 5, **usage},
    }


def _run(messages: list[Any], *, form: str = "mini-swe-agent-1", **info: Any) -> dict[str, Any]:
    config = {"model": {"model_name": "m-0"}, "environment": {"cwd": "/testbed"}}
    about = {"mini_version": "1.15.0", "config": config, **info}
    return {
        "info": about,
        "messages": [*_PROMPTS, *messages],
        "trajectory_format": form,
        "instance_id": "sums-1",
    }


def _file(document: Any) -> dict[str, bytes]:
    return {"a.traj.json": json.dumps(document, indent=1).encode()}


_HEAD = "agent=mini-swe-agent version=1.15.0 project=/testbed autonomous=True"
_PLACE = "mini_swe_agent:{folder}/a.traj.json#0"
_ASKED = ["#/messages/0 system: You use a shell.", "#/messages/1 user: The sum is wrong."]
_LOOK = "THOUGHT: look.\n```bash\n{}\n```"

CASES: dict[str, Case] = {
    "version 1": Case(
        _file(
            _run(
                [
                    _said("ls", extra={"response": _response(1, cost=0.25)}),
                    _user(_OK),
                    _said(
                        "ls /b",
                        extra={
                            "response": _response(
                                2,
                                prompt_tokens_details={"cached_tokens": 8},
                                completion_tokens_details={"reasoning_tokens": 3},
                            )
                        },
                    ),
                    _user(_FAILED),
                    _said("ls", "pwd"),
                    _user(_FORMAT_ERROR),
                    _said("sleep 9"),
                    _user(_TIMEOUT),
                    _said("echo DONE"),
                    _user("error: is what the patch is about"),
                ],
                exit_status="Submitted",
                submission="error: is what the patch is about",
                model_stats={"instance_cost": 1.0, "api_calls": 5},
            )
        ),
        {
            "mini_swe_agent:sums-1-5ee4e1f377a3": [
                f"{_HEAD} start=2025-11-18T23:42:35 end=2025-11-18T23:42:36",
                *_ASKED,
                f"#/messages/2 agent m-1 in 10 out 5 $0.25: (Thought 1.) {_LOOK.format('ls')}"
                f' | bash{{"command": "ls"}} #call-2 -> {_OK} #call-2',
                "#/messages/4 agent m-1 in 20 (cached 8) out 5 (thought 3):"
                f" (Thought 2.) {_LOOK.format('ls /b')}"
                f' | bash{{"command": "ls /b"}} #call-4 -> not_found! {_FAILED} #call-4',
                "#/messages/6 agent m-0: THOUGHT: look.\n```bash\nls\n```\n```bash\npwd\n```"
                f" -> other! {_FORMAT_ERROR} #None",
                f"#/messages/8 agent m-0: {_LOOK.format('sleep 9')}"
                f' | bash{{"command": "sleep 9"}} #call-8 -> timeout! {_TIMEOUT} #call-8',
                f"#/messages/10 agent m-0 $0.75: {_LOOK.format('echo DONE')}"
                ' | bash{"command": "echo DONE"} #call-10'
                " -> error: is what the patch is about #call-10",
            ]
        },
    ),
    "version 2 with tool calls": Case(
        _file(
            _run(
                [
                    {
                        "role": "assistant",
                        "content": None,
                        "reasoning_content": "Two at once.",
                        "tool_calls": [
                            {
                                "id": "c1",
                                "function": {"name": "bash", "arguments": '{"command":"ls"}'},
                            },
                            {
                                "id": "c2",
                                "function": {"name": "bash", "arguments": '{"command":"x"}'},
                            },
                        ],
                        "extra": {
                            "actions": [{"command": "ls", "tool_call_id": "c1"}],
                            "cost": 0.5,
                            "timestamp": 1763509400.5,
                            "response": {"id": "r1", "usage": {"prompt_tokens": 7}},
                        },
                    },
                    {
                        "role": "tool",
                        "tool_call_id": "c1",
                        "content": "a.py",
                        "extra": {"returncode": 0},
                    },
                    {
                        "role": "tool",
                        "tool_call_id": "c2",
                        "content": "x?",
                        "extra": {"returncode": 127},
                    },
                    _user(
                        "Unknown tool 'sh'.",
                        interrupt_type="FormatError",
                        cost=0.25,
                        response={
                            "id": "r2",
                            "choices": [
                                {
                                    "message": {
                                        "content": "I try.",
                                        "tool_calls": [
                                            {
                                                "id": "c3",
                                                "function": {"name": "sh", "arguments": "{}"},
                                            }
                                        ],
                                    }
                                }
                            ],
                            "usage": {"prompt_tokens": 9, "completion_tokens": 2},
                        },
                    ),
                    _said("echo DONE", mark="mswea_bash_command", extra={"timestamp": 1763509500}),
                    {
                        "role": "exit",
                        "content": "diff",
                        "extra": {"exit_status": "Submitted", "submission": "diff"},
                    },
                ],
                form="mini-swe-agent-1.1",
            )
        ),
        {
            "mini_swe_agent:sums-1-82f3e9c695dc": [
                f"{_HEAD} start=2025-11-18T23:43:20 end=2025-11-18T23:45:00",
                *_ASKED,
                "#/messages/2 agent m-0 in 7 out 0 $0.5: (Two at once.)"
                ' | bash{"command": "ls"} #c1 | bash{"command": "x"} #c2'
                " -> a.py #c1 -> other! x? #c2",
                "#/messages/5 agent m-0 in 9 out 2 $0.25: I try. | sh{} #c3"
                " -> unknown_tool! Unknown tool 'sh'. #c3",
                "#/messages/6 agent m-0: THOUGHT: look.\n```mswea_bash_command\necho DONE\n```"
                ' | bash{"command": "echo DONE"} #call-6 -> diff #call-6',
            ]
        },
    ),
    "version 2 with the Responses API": Case(
        _file(
            _run(
                [
                    {
                        "object": "response",
                        "id": "resp-1",
                        "model": "m-2",
                        "created_at": 1763509354,
                        "usage": {
                            "input_tokens": 9,
                            "input_tokens_details": {"cached_tokens": 4},
                            "output_tokens": 6,
                            "output_tokens_details": {"reasoning_tokens": 60},
                        },
                        "output": [
                            {"type": "reasoning", "summary": [{"text": "I think."}]},
                            {"type": "message", "content": [{"text": "I look."}]},
                            {
                                "type": "function_call",
                                "call_id": "c1",
                                "name": "bash",
                                "arguments": '{"command":"ls"}',
                            },
                        ],
                        "extra": {"cost": 0.0},
                    },
                    {
                        "type": "function_call_output",
                        "call_id": "c1",
                        "output": "<exception>no shell</exception>",
                        "extra": {"exception_info": "no shell"},
                    },
                    {
                        "role": "exit",
                        "content": "RateLimitError: slow down",
                        "extra": {"exit_status": "RateLimitError"},
                    },
                ],
                form="mini-swe-agent-1.1",
            )
        ),
        {
            "mini_swe_agent:sums-1-9a8fd09575cd": [
                f"{_HEAD} start=2025-11-18T23:42:34 end=2025-11-18T23:42:34",
                *_ASKED,
                "#/messages/2 agent m-2 in 9 (cached 4) out 6 (thought 6): (I think.) I look."
                ' | bash{"command": "ls"} #c1 -> other! <exception>no shell</exception> #c1',
                "#/messages/4 system api_error: RateLimitError: slow down",
            ]
        },
    ),
    "a bare list": Case(
        _file(
            [
                *_PROMPTS,
                {"role": "assistant", "content": "```sh\nls\n```"},
                _user(_OK),
                _said("true"),
                _user(""),
            ]
        ),
        {
            _PLACE: [
                "agent=mini-swe-agent autonomous=True",
                "#/0 system: You use a shell.",
                "#/1 user: The sum is wrong.",
                f"#/2 agent: ```sh\nls\n``` | bash{{}} #call-2 -> {_OK} #call-2",
                f"#/4 agent: {_LOOK.format('true')}"
                ' | bash{"command": "true"} #call-4 ->  #call-4',
            ]
        },
    ),
    "a person at the terminal": Case(
        _file(
            _run(
                [
                    _said("rm a.py"),
                    _user("Command not executed. The user rejected your command: no"),
                    _user("Interrupted by user: stop", interrupt_type="UserInterruption"),
                    {"role": "assistant", "content": "I wait."},
                    _user("The user added a new task: the product", interrupt_type="UserNewTask"),
                    {"role": "assistant", "content": "pwd?", "extra": {"action": "pwd"}},
                    _user("docker is gone"),
                ],
                exit_status="RuntimeError",
            )
        ),
        {
            _PLACE: [
                _HEAD,
                *_ASKED,
                f"#/messages/2 agent m-0: {_LOOK.format('rm a.py')}"
                ' | bash{"command": "rm a.py"} #call-2'
                " -> rejected! Command not executed. The user rejected your command: no #call-2",
                "#/messages/3 user rejection: Command not executed."
                " The user rejected your command: no",
                "#/messages/4 user interrupt: Interrupted by user: stop",
                "#/messages/5 agent m-0: I wait.",
                "#/messages/6 user: The user added a new task: the product",
                '#/messages/7 agent m-0: pwd? | bash{"command": "pwd"} #call-7'
                " -> other! docker is gone #call-7",
            ]
        },
    ),
    "ended by the model's provider": Case(
        _file(_run([_said("ls"), _user(_OK), _user("no credit")], exit_status="APIError")),
        {
            _PLACE: [
                _HEAD,
                *_ASKED,
                f"#/messages/2 agent m-0: {_LOOK.format('ls')}"
                f' | bash{{"command": "ls"}} #call-2 -> {_OK} #call-2',
                "#/messages/4 system api_error: no credit",
            ]
        },
    ),
    "stopped by a limit": Case(
        _file(_run([_said("ls"), _user(_OK), _user("")], exit_status="LimitsExceeded")),
        {
            _PLACE: [
                _HEAD,
                *_ASKED,
                f"#/messages/2 agent m-0: {_LOOK.format('ls')}"
                f' | bash{{"command": "ls"}} #call-2 -> {_OK} #call-2',
            ]
        },
    ),
    "wrong types everywhere": Case(
        _file(
            {
                "info": {"exit_status": [], "model_stats": [], "config": 7, "mini_version": None},
                "messages": [
                    {"role": "wizard", "content": ""},
                    _PROMPTS[1],
                    {
                        "role": "assistant",
                        "content": [{"text": "Hm."}, 3],
                        "tool_calls": [1, {"function": "bash"}],
                        "extra": {
                            "response": {"id": [], "created": 1e99, "usage": 4, "choices": [1]}
                        },
                    },
                    {"role": "tool", "content": None, "tool_call_id": {}},
                    {"role": "assistant", "content": {}},
                    9,
                ],
            }
        ),
        {
            _PLACE: [
                "agent=mini-swe-agent autonomous=True",
                "#/messages/1 user: The sum is wrong.",
                "#/messages/2 agent: Hm. | bash{} #call-2",
                "#/messages/3 system: ->  #None",
            ]
        },
        {
            "a.traj.json:#/messages/0": "not a message",
            "a.traj.json:#/messages/4": "not a message",
            "a.traj.json:#/messages/5": "not a message",
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_two_runs_of_one_task_are_two_sessions(tmp_path: Path) -> None:
    for number in (1, 2):
        answer = _said("ls", extra={"response": _response(number)})
        (tmp_path / f"{number}.json").write_text(json.dumps(_run([answer])))
    keys = {s.key for file in sorted(tmp_path.iterdir()) for s in read_file(file).sessions}
    assert len(keys) == 2


def test_a_chat_without_return_codes_is_left_to_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([*_PROMPTS, _said("ls")]))
    assert read_file(path).format == "openai_chat"


@pytest.mark.shared
def test_counts_of_the_real_files(shared_dir: Path) -> None:
    files = sorted((shared_dir / "logs" / "mini_swe_agent").rglob("*.json"))
    sessions = [session for file in files for session in read_file(file).sessions]
    steps = [step for session in sessions for step in session.steps]
    results = [seen for step in steps for seen in step.observations]
    tokens = [step.tokens for step in steps if step.tokens]
    text = "\n".join(file.read_text() for file in files)
    assert len({session.key for session in sessions}) == len(files)
    assert sum(step.source == "agent" for step in steps) == text.count('"role": "assistant"') - (
        # The raw answer of the provider repeats the role.
        text.count('"finish_reason"')
    )
    codes = re.findall(r'"content": "<returncode>(-?\d+)', text)
    refusals = text.count('"content": "Please always provide EXACTLY ONE action')
    timeouts = text.count('"content": "The last command <command>')
    assert sum(seen.is_error for seen in results) == (
        sum(code != "0" for code in codes) + refusals + timeouts
    )
    assert sum(t.input for t in tokens) == sum(
        map(int, re.findall(r'"prompt_tokens": (\d+)', text))
    )
    outputs = re.findall(r'"completion_tokens": (\d+)', text)
    assert sum(t.output for t in tokens) == sum(map(int, outputs))
    costs = re.findall(r'"instance_cost": ([\d.e-]+)', text)
    assert sum(step.cost_usd or 0 for step in steps) == pytest.approx(sum(map(float, costs)))
    assert not any(step.is_person for step in steps)
