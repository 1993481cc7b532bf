"""SWE-agent: the trajectory told in the order of the history, with totals on the last step."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.sources import read_file
from tests.pipelines.sources.format_table import Case, check_case

_SYSTEM = {"role": "system", "content": "You fix code.", "agent": "primary"}
_DEMO = {"role": "user", "content": "A demonstration", "agent": "primary", "is_demo": True}
_TASK = {"role": "user", "content": "The sum is wrong.", "agent": "primary"}
_REFUSED_EDIT = "Your proposed edit has introduced new syntax error(s).\nERRORS:\n- E999"
_TRACEBACK = "start\nTraceback (most recent call last):\n  File 'a.py'\nValueError: no sum"


def _step(action: str, observation: Any, thought: str = "Look.", **more: Any) -> dict[str, Any]:
    state = '{"open_file": "n/a", "working_dir": "/repo"}'
    said = f"{thought}\n```\n{action}\n```"
    step = {"action": action, "observation": observation, "response": said, "thought": thought}
    return {**step, "state": state, **more}


def _acted(step: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The two messages of the history that repeat a step."""
    said = {"role": "assistant", "content": step["response"], "action": step["action"]}
    result = f"{step['observation']}\n(Open file: n/a)"
    return [{**said, "agent": "primary", **more}, {"role": "user", "content": result}]


def _run(
    steps: list[Any], history: list[Any] | None = None, info: Any = None, **more: Any
) -> dict[str, Any]:
    if history is None:
        history = [_SYSTEM, _DEMO, _TASK, *(m for step in steps for m in _acted(step))]
    run = {"environment": "main", "trajectory": steps, "info": info or {}, **more}
    return {**run, "history": history}


def _file(document: Any) -> dict[str, bytes]:
    return {"a.traj": json.dumps(document, indent=1).encode()}


def _called(number: str, name: str, arguments: str, **more: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    calls = [{"type": "function", "id": number, "function": function}]
    return {
        "role": "assistant",
        "agent": "main",
        "message_type": "action",
        "tool_calls": calls,
    } | more


_TEXT = [
    _step("open a.py\n", "[File: a.py]\n1:x\n"),
    _step("edit 1:1\ny\nend_of_edit\n", _REFUSED_EDIT, "Change it."),
    _step("python a.py\n", _TRACEBACK, "Try it."),
    _step("submit\n", "diff --git a/a.py b/a.py", "Done."),
]
_SPENT = {"total_cost": 9.0, "instance_cost": 1.5, "tokens_sent": 100, "tokens_received": 7}
_CONFIG = {
    "problem_statement": {"id": "sums-1", "text": "The sum is wrong."},
    "agent": {"model": {"name": "gpt-4o"}},
}
_LS = {"action": "ls", "thought": "Look.", "response": "Look.", "state": {"working_dir": "/r"}}
_HEAD = "agent=swe-agent project=/repo autonomous=True"
_PROMPTS = ["#/history/0 system: You fix code.", "#/history/2 user: The sum is wrong."]
_OPEN = (
    '#/trajectory/0 agent: Look. | open{"command": "open a.py"} #call-0'
    " -> [File: a.py]\n1:x\n #call-0"
)

CASES: dict[str, Case] = {
    "text": Case(
        _file(_run(_TEXT, info={"exit_status": "submitted", "model_stats": _SPENT})),
        {
            "swe_agent:{folder}/a.traj#0": [
                _HEAD,
                *_PROMPTS,
                _OPEN,
                "#/trajectory/1 agent: Change it."
                ' | edit{"command": "edit 1:1\\ny\\nend_of_edit"} #call-1'
                f" -> syntax! {_REFUSED_EDIT} #call-1",
                '#/trajectory/2 agent: Try it. | bash{"command": "python a.py"} #call-2'
                f" -> command_failed! {_TRACEBACK} #call-2",
                "#/trajectory/3 agent in 100 out 7 $1.5: Done."
                ' | submit{"command": "submit"} #call-3'
                " -> diff --git a/a.py b/a.py #call-3",
            ]
        },
    ),
    "function calling": Case(
        _file(
            {
                "replay_config": json.dumps(_CONFIG),
                "trajectory": [
                    {**_LS, "observation": "a.py", "execution_time": 0.25},
                    # Refused twice, which the history does not tell: bad syntax, then no call.
                    {**_LS, "action": "cat 'a", "observation": "", "execution_time": 0.0},
                    {**_LS, "action": "", "observation": "", "execution_time": 0.0},
                    {**_LS, "action": "submit", "observation": "diff", "execution_time": 0.5},
                    {**_LS, "action": "", "observation": "", "thought": "Exit due to cost limit"},
                ],
                "history": [
                    _SYSTEM,
                    {"role": "user", "content": [{"type": "text", "text": "The sum is wrong."}]},
                    _called("c1", "bash", '{"command": "ls"}', action="ls", content="Look."),
                    {"role": "tool", "content": "a.py", "tool_call_ids": ["c1"]},
                    _called(
                        "c2",
                        "submit",
                        "{}",
                        action="submit",
                        content="edited words",
                        thinking_blocks=[{"type": "thinking", "thought": 1, "thinking": "Ready."}],
                    ),
                    {"role": "tool", "content": "diff", "tool_call_ids": ["c2"]},
                ],
                "info": {
                    "exit_status": "submitted (exit_cost)",
                    "swe_agent_version": "1.0.1",
                    "model_stats": {"instance_cost": 0.0, "tokens_sent": 9, "tokens_received": 2},
                },
            }
        ),
        {
            "swe_agent:sums-1-b7e8ba6ad27f": [
                "agent=swe-agent version=1.0.1 project=/r autonomous=True",
                "#/history/0 system: You fix code.",
                "#/history/1 user: The sum is wrong.",
                '#/trajectory/0 agent gpt-4o: Look. | bash{"command": "ls"} #c1 -> a.py #c1',
                '#/trajectory/1 agent gpt-4o: Look. | bash{"command": "cat \'a"} #call-1'
                " -> other!  #call-1",
                "#/trajectory/2 agent gpt-4o: Look. -> other!  #None",
                "#/trajectory/3 agent gpt-4o in 9 out 2: (Ready.) Look. | submit{} #c2 -> diff #c2",
                "#/trajectory/4 system: Exit due to cost limit",
            ]
        },
    ),
    "history alone": Case(
        _file(
            {
                "history": [
                    {**_SYSTEM, "message_type": "system_prompt"},
                    {**_TASK, "message_type": "observation"},
                    _called("", "bash", "not JSON", content="Look.", thought="Look."),
                    {"role": "tool", "content": "a.py", "agent": "main"},
                    {"role": "user", "content": "Go on.", "agent": "main"},
                    {"role": "assistant", "content": "I stop.", "agent": "main"},
                ]
            }
        ),
        {
            "swe_agent:{folder}/a.traj#0": [
                "agent=swe-agent autonomous=True",
                "#/history/0 system: You fix code.",
                "#/history/1 user: The sum is wrong.",
                '#/history/2 agent: Look. | bash{"input": "not JSON"} #call-h2 -> a.py #call-h2',
                "#/history/4 user: Go on.",
                "#/history/5 agent: I stop.",
            ]
        },
    ),
    "attempts, of which the best is repeated": Case(
        _file(
            {
                **_run(_TEXT[:1]),
                "attempts": [
                    _run(_TEXT[:1], replay_config={"problem_statement": {"id": "sums-1"}}),
                    _run(
                        [_step("ls", "a.py", execution_time=0.125)],
                        history=[],
                        replay_config=_CONFIG,
                    ),
                    "torn",
                ],
            }
        ),
        {
            "swe_agent:{folder}/a.traj#/attempts/0": [
                _HEAD,
                *(f"#/attempts/0{line[1:]}" for line in [*_PROMPTS, _OPEN]),
            ],
            "swe_agent:sums-1-attempt2-c6ad7b51d5d9": [
                _HEAD,
                '#/attempts/1/trajectory/0 agent gpt-4o: Look. | bash{"command": "ls"} #call-0'
                " -> a.py #call-0",
            ],
        },
    ),
    "ended by the model's provider": Case(
        _file(_run([_step("", "", "Exit due to retry error")], history=[_SYSTEM, _TASK])),
        {
            "swe_agent:{folder}/a.traj#0": [
                _HEAD,
                "#/history/0 system: You fix code.",
                "#/history/1 user: The sum is wrong.",
                "#/trajectory/0 system api_error: Exit due to retry error",
            ]
        },
    ),
    "wrong types everywhere": Case(
        _file(
            _run(
                [
                    7,
                    {"action": 1, "observation": 2},
                    _step("ls", ["a.py", {"text": "b.py"}, 3], state=[]),
                ],
                history=[None, {"role": {}}, {"role": "user", "content": {}}, _TASK],
                info={"model_stats": {"instance_cost": "1", "tokens_sent": -1, "api_calls": 1e99}},
                replay_config="[]",
            )
        ),
        {
            "swe_agent:{folder}/a.traj#0": [
                "agent=swe-agent autonomous=True",
                "#/history/3 user: The sum is wrong.",
                '#/trajectory/2 agent: Look. | bash{"command": "ls"} #call-2 -> a.py\nb.py #call-2',
            ]
        },
        {
            "a.traj:#/trajectory/0": "not a step",
            "a.traj:#/trajectory/1": "not a step",
            "a.traj:#/history/0": "not a message",
            "a.traj:#/history/1": "not a message",
            "a.traj:#/history/2": "not a message",
        },
    ),
    "a run that has not begun": Case(_file(_run([], history=[])), {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


@pytest.mark.parametrize(
    ("output", "is_error"),
    [
        ("\nEXECUTION TIMED OUT", True),
        ("Wrong flag!", True),
        ("bash: foo: command not found", True),
        ("strings: 'a': No such file", True),
        ("The command 'sleep 99' was cancelled because it took more than 30 seconds.", True),
        ("..F.\n======= 1 failed, 3 passed in 0.1s =======", True),
        ("FAILED (errors=1)", True),
        ("======= 3 passed in 0.1s =======", False),
        ("[File: errors.py]\n1:raise ValueError\n", False),
        ("a.log: Traceback (most recent call last):\n2 lines", False),
        ("", False),
    ],
    ids=lambda value: str(value)[:20].strip(),
)
def test_failures_are_told_by_their_text(output: str, is_error: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.traj"
    path.write_text(json.dumps(_run([_step("x", output)])))
    (session,) = read_file(path).sessions
    assert [seen.is_error for seen in session.steps[-1].observations] == [is_error]


def test_a_run_keeps_its_name_while_it_grows(tmp_path: Path) -> None:
    steps = [_step("ls", "a.py", execution_time=0.5), _step("submit", "d", execution_time=0.1)]
    names = []
    for count in (1, 2):
        path = tmp_path / f"{count}.traj"
        path.write_text(json.dumps(_run(steps[:count], replay_config=json.dumps(_CONFIG))))
        names += [session.key for session in read_file(path).sessions]
    assert len(names) == 2
    assert names[0] == names[1]


@pytest.mark.shared
def test_counts_of_the_real_files(shared_dir: Path) -> None:
    files = sorted((shared_dir / "logs" / "swe_agent").rglob("*.traj"))
    sessions = [session for file in files for session in read_file(file).sessions]
    steps = [step for session in sessions for step in session.steps]
    documents = [json.loads(file.read_text()) for file in files]
    spent = [document.get("info", {}).get("model_stats", {}) for document in documents]
    acted = [
        document.get("trajectory") or [m for m in document["history"] if m["role"] == "assistant"]
        for document in documents
    ]
    tokens = [step.tokens for step in steps if step.tokens]
    assert len({session.key for session in sessions}) == len(files)
    assert sum(step.source == "agent" for step in steps) == sum(map(len, acted))
    assert sum(len(step.tool_calls) for step in steps) == sum(map(len, acted))
    assert sum(t.input for t in tokens) == sum(s.get("tokens_sent", 0) for s in spent)
    assert sum(t.output for t in tokens) == sum(s.get("tokens_received", 0) for s in spent)
    cost = sum(step.cost_usd or 0 for step in steps)
    assert cost == pytest.approx(sum(s.get("instance_cost", 0) for s in spent))
    assert not any(step.is_person for step in steps)
