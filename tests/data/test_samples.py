"""The shipped samples: whole, readable, and of known cause."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent_core.sandbox import Sandbox, find_sandbox
from agent_core.session import Observation, ToolCall, person_turns
from agent_core.toolkit import Toolbox, Workspace, load_tools
from pipelines.sources import read_file

DEFECTS = {("edit_file", "no_match"), ("run_command", "timeout")}


@pytest.fixture(scope="module")
def samples(repository: Path) -> Path:
    return repository / "data" / "samples"


@pytest.fixture(scope="module")
def documents(samples: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted((samples / "sessions").glob("*.json"))]


def test_hashes_cover_every_file(samples: Path) -> None:
    lines = (samples / "SHA256SUMS").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = {
        file.relative_to(samples).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in samples.glob("*/*.json")
    }
    assert found == recorded
    assert {f"sessions/{Path(name).name}" for name in found} == {
        name for name in found if name.startswith("sessions/")
    }


def test_every_session_is_read_with_user_release_and_turns(samples: Path) -> None:
    releases: Counter[str | None] = Counter()
    for file in sorted((samples / "sessions").glob("*.json")):
        reading = read_file(file)
        assert (reading.status, reading.format, reading.quarantined) == ("read", "atif", ())
        (session,) = reading.sessions
        assert session.user
        assert person_turns(session)
        releases[session.release] += 1
    assert len(releases) == 2
    assert min(releases.values()) >= 24


def test_what_a_defect_causes_hurts_under_the_defective_release_only(
    documents: list[dict[str, Any]],
) -> None:
    sound, defective = sorted({d["extra"]["release"] for d in documents}, key=_first_day(documents))
    unrecovered = Counter(
        (document["extra"]["release"], tool, error_class)
        for document in documents
        for tool, error_class in _repeated_failures(document)
    )
    assert {key for key in unrecovered if key[0] == sound} == set()
    assert {key[1:] for key in unrecovered if key[0] == defective} == DEFECTS
    timed_out = {d["extra"]["release"] for d in documents if "timed out: the" in json.dumps(d)}
    assert timed_out == {defective}


@pytest.mark.slow
def test_the_defective_tools_fail_where_those_of_head_serve(
    repository: Path, tmp_path: Path
) -> None:
    sandbox = find_sandbox()
    if sandbox is None:
        pytest.skip("no sandbox works here")
    clone = tmp_path / "clone"
    _run("git", "clone", "-q", str(repository), str(clone))
    head = _outcomes(clone, tmp_path / "head", sandbox)
    patches = sorted(map(str, (repository / "data" / "defects").glob("*.patch")))
    who = ("-c", "user.name=Signals", "-c", "user.email=signals@example.org")
    _run("git", "-C", str(clone), *who, "am", "-q", "--3way", *patches)
    defective = _outcomes(clone, tmp_path / "defective", sandbox)
    assert [observed.error_class for observed in (*head, *defective)] == [
        None,
        "no_match",
        "timeout",
        "no_match",
    ]
    assert "read_file" in head[1].content
    assert defective[1].content == "edit failed"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_sessions_come_out_again(repository: Path, tmp_path: Path) -> None:
    """Up to the durations that commands print, and to the hash in the release."""
    if find_sandbox() is None:
        pytest.skip("no sandbox works here")
    out = tmp_path / "out"
    _run(sys.executable, str(repository / "data/produce_samples.py"), "--out", str(out))
    shipped = repository / "data" / "samples" / "sessions"
    assert _told(out / "sessions") == _told(shipped)


def _told(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {
        file.name: [
            (
                step["timestamp"],
                step["source"],
                step["message"],
                [(c["function_name"], c["arguments"]) for c in step.get("tool_calls", ())],
                [r["extra"] for r in step.get("observation", {}).get("results", ())],
            )
            for step in json.loads(file.read_text())["steps"]
        ]
        for file in sorted(folder.glob("*.json"))
    }


def _first_day(documents: list[dict[str, Any]]) -> Any:
    return lambda release: min(
        d["steps"][0]["timestamp"] for d in documents if d["extra"]["release"] == release
    )


def _repeated_failures(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Tools and classes of failures after which the same call was made again, or none."""
    calls = [
        (call, result)
        for step in document["steps"]
        for call, result in zip(
            step.get("tool_calls", ()), step.get("observation", {}).get("results", ()), strict=True
        )
    ]
    following = [*(call for call, _ in calls[1:]), None]
    return {
        (call["function_name"], result["extra"]["error_class"])
        for (call, result), after in zip(calls, following, strict=True)
        if result["extra"]["is_error"] and after and after["arguments"] == call["arguments"]
    }


def _outcomes(clone: Path, root: Path, sandbox: Sandbox) -> list[Observation]:
    """A suite of three seconds, and an edit that does not match, with the clone's tools."""
    shutil.copytree(clone / "data/tasks/invoice/repo", root)
    tools = load_tools(clone / "agent_core" / "tools")
    toolbox = Toolbox(tools, Workspace(root), sandbox)
    edit = {"path": "invoice/total.py", "old_text": "    amount = 0\n", "new_text": "x"}
    return [
        toolbox.execute(ToolCall("1", "run_command", {"command": "sleep 2.5"})),
        toolbox.execute(ToolCall("2", "edit_file", edit)),
    ]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
