"""Inspect: samples in archives and JSON logs, with what only their events tell."""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.sources import read_file
from tests.pipelines.sources.format_table import Case, check_case, told

_EVAL = {
    "task": "sums",
    "task_id": "T1",
    "run_id": "R1",
    "created": "2025-01-01T00:00:00+00:00",
    "solver": "react",
    "packages": {"inspect_ai": "0.3.100"},
}
_HEADER = {"version": 2, "status": "success", "eval": _EVAL}
_STORED = zipfile.ZIP_STORED


def _archive(members: dict[str, Any], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of JSON values; a member given as bytes is written as it is."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, value in members.items():
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return content.getvalue()


def _zstd_archive(members: dict[str, Any]) -> bytes:
    """The same with method 93, which this Python cannot write."""
    body = directory = b""
    for name, value in members.items():
        data = json.dumps(value).encode()
        packed = pa.compress(data, codec="zstd", asbytes=True)
        sizes = (zlib.crc32(data), len(packed), len(data), len(name), 0)
        entry = struct.pack("<4s6H3L2H", b"PK\1\2", 63, 63, 0, 93, 0, 33, *sizes)
        directory += entry + struct.pack("<3H2L", 0, 0, 0, 0, len(body)) + name.encode()
        header = struct.pack("<4s5H3L2H", b"PK\3\4", 63, 0, 93, 0, 33, *sizes)
        body += header + name.encode() + packed
    count = len(members)
    end = struct.pack("<4H2LH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def _message(role: str, content: Any, number: str = "", **more: Any) -> dict[str, Any]:
    own = {"id": number} if number else {}
    return {**own, "role": role, "content": content, **more}


def _call(number: str, name: str = "bash", **arguments: Any) -> dict[str, Any]:
    return {"id": number, "function": name, "arguments": arguments, "type": "function"}


def _model(message: Any, second: int, *, uuid: str = "", **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 10 * second, "output_tokens": 2, "total_tokens": 10 * second + 2}
    event = {
        "event": "model",
        "model": "p/m",
        "timestamp": f"2025-01-01T00:00:{second:02}+00:00",
        "input": [],
        "output": {"model": "m", "choices": [{"message": message}], "usage": usage},
    }
    return {**event, **({"uuid": uuid} if uuid else {}), **more}


def _sample(messages: list[Any], events: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "epoch": 1,
        "input": "Add.",
        "target": "4",
        "messages": messages,
        "events": events,
        "scores": {"match": {"value": "C"}},
        **more,
    }


_ASKED = _message("user", "Add 2 and 2.", "u1", source="input")
_LOOKED = _message("assistant", "I look.", "a1", tool_calls=[_call("c1", cmd="ls")])
_SEEN = _message("tool", "a.py", "t1", tool_call_id="c1", function="bash")
_DONE = _message("assistant", [{"type": "reasoning", "reasoning": "Easy."}, {"text": "4"}], "a2")
_TOOL = {"event": "tool", "id": "c1", "function": "bash", "result": "a.py"}
_WHOLE = _sample(
    [_message("system", "You add."), _ASKED, _LOOKED, _SEEN, _DONE],
    [
        {"event": "sample_init", "timestamp": "2025-01-01T00:00:00+00:00"},
        _model(_LOOKED, 1, uuid="e1"),
        _TOOL,
        _model(_DONE, 3, uuid="e2", completed="2025-01-01T00:00:04+00:00"),
        {"event": "a kind of tomorrow"},
    ],
    uuid="S1",
)
_ABOUT = "agent=react version=0.3.100 project=sums autonomous=True"
_TIMES = "start=2025-01-01T00:00:00 end=2025-01-01T00:00:04"
_TOLD = [
    f"{_ABOUT} outcome=C {_TIMES}",
    "{place}/messages/0 system: You add.",
    "u1 user: Add 2 and 2.",
    'a1 agent m in 10 out 2: I look. | bash{"cmd": "ls"} #c1 -> a.py #c1',
    "a2 agent m in 30 out 2: (Easy.) 4",
]


def _whole_at(place: str) -> list[str]:
    return [line.replace("{place}", place) for line in _TOLD]


def _plain(number: int, epoch: int = 1) -> dict[str, Any]:
    """A sample of the time before samples and messages had ids."""
    answer = _message("assistant", f"answer {number}")
    asked = _message("user", "attachment://k")
    events = [_model(_message("assistant", "attachment://b"), 2)]
    texts = {"k": f"question {number}", "b": f"answer {number}"}
    return {
        **_sample([asked, answer], events, attachments=texts),
        "id": number,
        "epoch": epoch,
    }


def _plain_at(place: str, number: int, about: str = _ABOUT) -> list[str]:
    return [
        f"{about} outcome=C start=2025-01-01T00:00:02 end=2025-01-01T00:00:02",
        f"{place}/messages/0 user: question {number}",
        f"{place}/messages/1 agent m in 20 out 2: answer {number}",
    ]


_BAD = b"{torn"
_NESTED = [
    {"event": "step", "action": "begin", "type": "solver", "name": "generate"},
    {"event": "span_begin", "id": "s1", "type": "agent", "name": "helper"},
    # A subagent: a new prompt, a call, its result, then its answer with the result in the input.
    _model(
        _message("assistant", "I search.", tool_calls=[_call("c7", "search", q="2+2")]),
        1,
        uuid="e1",
        input=[_message("system", "You help."), _message("user", "attachment://k")],
        cache="read",
    ),
    {
        "event": "subtask",
        "events": [
            {
                "event": "tool",
                "id": "c7",
                "result": "",
                "error": {"type": "timeout", "message": "Command timed out."},
            }
        ],
    },
    _model(
        _message("assistant", "Found."),
        2,
        uuid="e2",
        input=[_message("user", "help"), _message("tool", "?", tool_call_id="c7")],
    ),
    _model(
        _message("assistant", "After.", "a9"),
        3,
        uuid="e3",
        input=[_message("assistant", "Before.", "a8")],
    ),
    {"event": "compaction", "uuid": "k1", "timestamp": "2025-01-01T00:00:04Z"},
    {"event": "branch", "uuid": "k2", "from_anchor": "x"},
    {
        "event": "approval",
        "uuid": "k3",
        "decision": "reject",
        "approver": "human",
        "explanation": "No.",
    },
    {"event": "approval", "uuid": "k4", "decision": "reject", "approver": "policy"},
    {"event": "sample_limit", "uuid": "k5", "message": "Exceeded token limit."},
    _model(None, 5, uuid="e4", output={}, error="Overloaded."),
    {"event": "span_begin", "id": "s2", "type": "scorers"},
    {"event": "span_begin", "id": "s3", "parent_id": "s2", "type": "agent"},
    _model(_message("assistant", "GRADE: C"), 6, span_id="s3"),
    {"event": "span_end", "id": "s2"},
    {"event": "step", "action": "begin", "type": "scorer", "name": "fact"},
    _model(_message("assistant", "GRADE: C"), 7),
    {"event": "step", "action": "end", "type": "scorer", "name": "fact"},
]

CASES: dict[str, Case] = {
    "an archive": Case(
        {
            "a.eval": _archive(
                {
                    "_journal/start.json": {"version": 2, "eval": _EVAL},
                    "samples/1_epoch_1.json": _WHOLE,
                    "_journal/summaries/1.json": [{"id": 1, "epoch": 1}],
                    "summaries.json": [{"id": 1, "epoch": 1}],
                    "reductions.json": [],
                    "header.json": _HEADER,
                }
            )
        },
        {"inspect:S1": _whole_at("samples/1_epoch_1.json#")},
    ),
    "samples without ids, of an evaluation that has not ended": Case(
        {
            "a.eval": _archive(
                {
                    "_journal/start.json": {"version": 2, "eval": _EVAL},
                    "samples/org/x_epoch_1.json": _plain(7),
                    "samples/7_epoch_2.json": _plain(7, epoch=2),
                }
            )
        },
        {
            "inspect:T1-7-epoch1": _plain_at("samples/org/x_epoch_1.json#", 7),
            "inspect:T1-7-epoch2": _plain_at("samples/7_epoch_2.json#", 7),
        },
    ),
    "zstd": Case(
        {
            "a.eval": _zstd_archive({"header.json": _HEADER, "samples/1_epoch_1.json": _WHOLE}),
        },
        {"inspect:S1": _whole_at("samples/1_epoch_1.json#")},
    ),
    "damaged members": Case(
        {
            "a.eval": _archive(
                {
                    "header.json": _BAD,
                    "_journal/start.json": {"eval": _EVAL},
                    "samples/1_epoch_1.json": _WHOLE,
                    "samples/2_epoch_1.json": _BAD,
                    "samples/3_epoch_1.json": {"id": 3},
                    "summaries.json": [{"id": 9, "epoch": 1}, {"id": 2, "epoch": 1}, 4],
                }
            ),
            "b.eval": _archive(
                {"header.json": _HEADER, "samples/1_epoch_1.json": _plain(1)}, _STORED
            ).replace(b"question 1", b"QUESTION 1"),
        },
        {"inspect:S1": _whole_at("samples/1_epoch_1.json#")},
        {
            "a.eval:header.json": "not valid JSON at character 2",
            "a.eval:samples/2_epoch_1.json": "not valid JSON at character 2",
            "a.eval:samples/3_epoch_1.json": "not a sample",
            "a.eval:samples/9_epoch_1.json": "summarised but not there",
            "b.eval:samples/1_epoch_1.json": "damaged (BadZipFile)",
        },
    ),
    "a sample in chunks": Case(
        {
            "a.eval": _archive(
                {
                    "header.json": {**_HEADER, "version": 3},
                    "samples/1_epoch_1/sample.json": {
                        **{k: v for k, v in _WHOLE.items() if k not in ("messages", "events")},
                        "message_refs": [[0, 1], [2, 4], [4, 5]],
                    },
                    "samples/1_epoch_1/messages/3.json": [_SEEN, _DONE],
                    "samples/1_epoch_1/messages/0.json": [
                        {**_ASKED, "content": "attachment://0"},
                        _message("user", "of another branch"),
                        _LOOKED,
                    ],
                    "samples/1_epoch_1/events/0.json": _WHOLE["events"],
                    "samples/1_epoch_1/events/stats.json": {},
                    "samples/1_epoch_1/attachments/0.json": ["Add 2 and 2."],
                }
            )
        },
        {"inspect:S1": [line for line in _whole_at("") if "You add." not in line]},
    ),
    "a JSON log": Case(
        {"a.json": json.dumps({**_HEADER, "samples": [_WHOLE, 3, _plain(2)]}).encode()},
        {
            "inspect:S1": _whole_at("#/samples/0"),
            "inspect:T1-2-epoch1": _plain_at("#/samples/2", 2),
        },
        {"a.json:#/samples/1": "not a sample"},
    ),
    "a sample by itself": Case(
        {"a.json": json.dumps(_plain(1)).encode()},
        {"inspect:{folder}/a.json#0": _plain_at("#", 1, "agent=inspect autonomous=True")},
    ),
    "what only events tell": Case(
        {"a.json": json.dumps({"events": _NESTED, "attachments": {"k": "help"}}).encode()},
        {
            "inspect:{folder}/a.json#0": [
                "agent=inspect autonomous=True start=2025-01-01T00:00:01 end=2025-01-01T00:00:07",
                "#/events/2/input/0 system: You help.",
                "#/events/2/input/1 user: help",
                'e1 agent m: I search. | search{"q": "2+2"} #c7 -> timeout! Command timed out. #c7',
                "e2 agent m in 20 out 2: Found.",
                "a8 agent: Before.",
                "a9 agent m in 30 out 2: After.",
                "k1 system compaction:",
                "k2 system branch_change:",
                "k3 user rejection: No.",
                "k5 system: Exceeded token limit.",
                "e4 system api_error: Overloaded.",
            ]
        },
    ),
    "messages and what is not among them": Case(
        {
            "a.json": json.dumps(
                {
                    **_HEADER,
                    "samples": [
                        _sample(
                            [_ASKED, _LOOKED, _SEEN, _DONE],
                            [
                                _model(_LOOKED, 1),
                                _model(
                                    _message("assistant", "Beside.", "b1"),
                                    2,
                                    input_refs=[[0, 1], 1],
                                ),
                                _model(_DONE, 3),
                            ],
                            uuid="S2",
                            message_pool=[_message("user", "Help me.", "u9"), _ASKED],
                            scores={"a": {"value": 0.5}, "b": {"value": {"x": True}}, "c": {}},
                            error={"message": "The sandbox is gone."},
                            limit={"type": "token"},
                        )
                    ],
                }
            ).encode()
        },
        {
            "inspect:S2": [
                f'{_ABOUT} outcome=a=0.5; b={{"x": true}}'
                " start=2025-01-01T00:00:01 end=2025-01-01T00:00:03",
                "u1 user: Add 2 and 2.",
                'a1 agent m in 10 out 2: I look. | bash{"cmd": "ls"} #c1 -> a.py #c1',
                "u9 user: Help me.",
                "b1 agent m in 20 out 2: Beside.",
                "a2 agent m in 30 out 2: (Easy.) 4",
                "#/samples/0/error system: The sandbox is gone.",
            ]
        },
    ),
    "failures, calls of the provider, tokens of the sample": Case(
        {
            "a.json": json.dumps(
                _sample(
                    [
                        _message(
                            "assistant",
                            [
                                {
                                    "type": "tool_use",
                                    "tool_type": "web_search",
                                    "id": "w1",
                                    "name": "web_search",
                                    "arguments": '{"q": "sum"}',
                                    "result": "none",
                                    "error": "unavailable",
                                }
                            ],
                            model="m2",
                            tool_calls=[_call("", "python", code="1/0")],
                        ),
                        _message(
                            "tool",
                            "",
                            tool_call_id="x",
                            error={"type": "parsing", "message": "No."},
                        ),
                        _message("tool", "Traceback (most recent call last):\n1/0"),
                    ],
                    [],
                    model_usage={
                        "p/m": {"input_tokens": 5, "output_tokens": 3, "reasoning_tokens": 2},
                        "p/n": {
                            "input_tokens": 1,
                            "input_tokens_cache_read": 20,
                            "input_tokens_cache_write": 4,
                            "output_tokens": 1,
                            "total_tokens": 26,
                        },
                        "p/o": 7,
                    },
                )
            ).encode()
        },
        {
            "inspect:{folder}/a.json#0": [
                "agent=inspect autonomous=True outcome=C",
                "#/messages/0 agent m2 in 30 (cached 20, written 4) out 4 (thought 2):"
                ' | python{"code": "1/0"} #call-#/messages/0-0 | web_search{"q": "sum"} #w1'
                " -> other! none #w1",
                "#/messages/1 system: -> other! No. #x",
                "#/messages/2 system: -> command_failed! Traceback (most recent call last):\n1/0"
                " #None",
            ]
        },
    ),
    "wrong types everywhere": Case(
        {
            "a.json": json.dumps(
                {
                    "eval": {"task": 1, "run_id": None, "packages": []},
                    "samples": [
                        _sample(
                            [
                                7,
                                _message("wizard", "x"),
                                _message("user", {}),
                                _message("user", [3]),
                            ],
                            [
                                4,
                                {
                                    "event": "model",
                                    "output": {"choices": [{"message": 5}]},
                                    "input": 1,
                                },
                            ],
                            scores=[],
                            attachments=[],
                            events_data=3,
                            uuid=[],
                            error="x",
                        ),
                        _sample(
                            [_message("assistant", None, tool_calls=[{"id": 5}])],
                            [],
                            scores={"s": 1},
                        ),
                    ],
                }
            ).encode()
        },
        {
            "inspect:{folder}/a.json#1": [
                "agent=inspect autonomous=True",
                "#/samples/1/messages/0 agent: | {} #5",
            ]
        },
        {
            "a.json:#/samples/0/messages/0": "not a message",
            "a.json:#/samples/0/messages/1": "not a message",
            "a.json:#/samples/0/messages/2": "not a message",
            "a.json:#/samples/0/events/0": "not an event",
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_sessions(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_the_report_names_what_is_unusual(tmp_path: Path) -> None:
    path = tmp_path / "a.eval"
    path.write_bytes(_archive({"_journal/start.json": {"eval": _EVAL}}))
    assert read_file(path).detail == "no conversation in it; an evaluation that has not ended"
    path.write_text(json.dumps({"events": _NESTED}))
    assert read_file(path).detail == "2 model calls of graders are left out"


def test_a_copy_in_a_retried_evaluation_is_the_same_session(tmp_path: Path) -> None:
    keys = []
    for run in ("R1", "R2"):
        header = {**_HEADER, "eval": {**_EVAL, "run_id": run, "eval_id": run}}
        path = tmp_path / f"{run}.eval"
        samples = {"samples/1_epoch_1.json": _WHOLE, "samples/2_epoch_1.json": _plain(2)}
        path.write_bytes(_archive({"header.json": header, **samples}))
        keys.append([session.key for session in read_file(path).sessions])
    assert keys[0] == keys[1] == ["inspect:S1", "inspect:T1-2-epoch1"]


def test_references_to_one_long_text_are_bounded(tmp_path: Path) -> None:
    messages = [_message("user", "attachment://k")] * 30
    path = tmp_path / "a.json"
    path.write_text(json.dumps(_sample(messages, [], attachments={"k": "x" * (1 << 24)})))
    (session,) = read_file(path).sessions
    assert sum(len(step.text) > 100 for step in session.steps) == 16


@pytest.mark.shared
def test_counts_of_the_real_files(shared_dir: Path) -> None:
    files = [file for file in (shared_dir / "logs" / "inspect").rglob("*") if file.is_file()]
    readings = [read_file(file) for file in sorted(files)]
    sessions = [session for reading in readings for session in reading.sessions]
    steps = [step for session in sessions for step in session.steps]
    samples = [sample for file in sorted(files) for sample in _raw_samples(file)]
    answers = [m for sample in samples for m in sample["messages"] if m["role"] == "assistant"]
    calls = [sample["events"] for sample in samples if not sample["messages"]]
    lonely = [event for events in calls for event in events if event["event"] == "model"]
    assert {reading.format for reading in readings} == {"inspect"}
    assert not any(reading.quarantined for reading in readings)
    # One evaluation lies there under two names.
    assert len({session.key for session in sessions}) == len(samples) - 1
    assert sum(step.source == "agent" for step in steps) == len(answers) + len(lonely)
    assert sum(step.timestamp is not None for step in steps) >= len(answers)
    assert sum(session.outcome is not None for session in sessions) == sum(
        bool(sample.get("scores")) for sample in samples
    )
    assert not any(step.is_person for step in steps)
    assert not any("attachment://" in line for session in sessions for line in told(session))


def _raw_samples(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".json":
        return [{"messages": [], **json.loads(file.read_bytes())}]
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.startswith("samples/")]
        return [json.loads(archive.read(name)) for name in names]
