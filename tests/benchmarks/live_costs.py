"""What watching and a hook cost: real processes on real files of made-up sessions."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from tests.benchmarks.process_memory import peak_memory

TRIALS = 20
HOOK_CALLS = 50
LARGE_BYTES = 500 << 20
TRANSCRIPT_BYTES = 50 << 20
_WAIT_SECONDS = 60.0


def latency() -> dict[str, Any]:
    """Milliseconds from the write of the third failure to the line on the watcher's output."""
    with tempfile.TemporaryDirectory() as name:
        logs = Path(name) / "logs"
        files = [_failing(logs / f"s{trial}.jsonl", trial) for trial in range(TRIALS)]
        with _watching(Path(name) / "home", logs) as (_, lines):
            taken = [_told_after(file, trial, lines) for trial, file in enumerate(files)]
    return {"trials": TRIALS, **_spread(taken)}


def watch_memory() -> dict[str, Any]:
    """Megabytes of the watcher at its peak, while a log of 500 MB grows, and of one at rest."""
    with tempfile.TemporaryDirectory() as name:
        logs = Path(name) / "logs"
        idle = _peak(Path(name) / "home", logs, [])
        large = _failing(logs / "large.jsonl", 0, fill=LARGE_BYTES)
        return {
            "log_megabytes": round(large.stat().st_size / 1e6),
            "peak_megabytes": _peak(Path(name) / "home", logs, [large]),
            "peak_megabytes_without_logs": idle,
        }


def hook_costs() -> dict[str, Any]:
    """Milliseconds a call, the start of Python included, for each event and size of transcript."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        small = _failing(Path(name) / "small.jsonl", 0)
        large = _failing(Path(name) / "large.jsonl", 1, fill=TRANSCRIPT_BYTES)
        return {
            "python alone": _calls([sys.executable, "-c", "pass"], [""] * HOOK_CALLS),
            **{
                f"{event}, {file.stat().st_size / 1e6:.1f} MB": _hook(home, file, event)
                for file in (small, large)
                for event in ("UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "Stop")
            },
        }


def _hook(home: Path, transcript: Path, event: str) -> dict[str, float]:
    inputs = [json.dumps(_event(transcript, event, number)) for number in range(HOOK_CALLS)]
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "watch", "--hook"]
    subprocess.run(command, input=inputs[0], text=True, check=True, capture_output=True)
    return _calls(command, inputs)


def _calls(command: Sequence[str], inputs: Sequence[str]) -> dict[str, float]:
    taken = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for text in inputs:
        started = time.perf_counter()
        subprocess.run(command, input=text, text=True, check=True, capture_output=True)
        taken.append(1000 * (time.perf_counter() - started))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**_spread(taken), "cpu_mean": round(1000 * spent / len(inputs), 1)}


def _event(transcript: Path, event: str, number: int) -> dict[str, Any]:
    told = {"session_id": "bench", "transcript_path": str(transcript), "hook_event_name": event}
    if event == "UserPromptSubmit":
        return told | {"prompt": f"it still fails in the same way at case {number}, look again"}
    if event == "Stop":
        return told | {"stop_hook_active": False}
    result = {"tool_name": "Edit", "tool_use_id": f"new-{number}", "tool_input": {"file_path": "a"}}
    return (
        told | result | ({"error": "String to replace not found in file."} if "F" in event else {})
    )


def _peak(home: Path, logs: Path, grown: Sequence[Path]) -> float | None:
    logs.mkdir(exist_ok=True)
    with _watching(home, logs) as (process, lines):
        memory = peak_memory(process)
        for number, file in enumerate(grown):
            _told_after(file, number, lines)
            for more in range(200):
                _append(file, _result(number, 100 + more))
                time.sleep(0.01)
        time.sleep(1.0)
    found = memory()
    return None if found is None else round(found)


@contextmanager
def _watching(home: Path, logs: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "--json", "watch", str(logs)]
    process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(2.0)  # what the logs held at the start is read by now
    try:
        yield process, process.stdout
    finally:
        process.terminate()
        process.wait(_WAIT_SECONDS)


def _told_after(file: Path, number: int, lines: IO[str]) -> float:
    written = time.perf_counter()
    _append(file, _result(number, 2))
    told = json.loads(lines.readline())
    taken = 1000 * (time.perf_counter() - written)
    assert (told["kind"], told["path"]) == ("error_run", str(file.resolve()))
    return taken


def _failing(file: Path, number: int, fill: int = 0) -> Path:
    """A session whose agent made three calls, of which two have failed by now."""
    file.parent.mkdir(parents=True, exist_ok=True)
    ask = {"role": "user", "content": "please repair the parser of the settings"}
    with file.open("w", encoding="utf-8") as log:
        filler = _line(number, "filler", "assistant", _said("x" * 4_000))
        for place in range(fill // len(filler) + 1 if fill else 0):
            log.write(filler.replace('"filler"', f'"filler-{place}"'))
        log.write(_line(number, "ask", "user", ask))
        for call in range(3):
            log.write(_line(number, f"call-{call}", "assistant", _called(call)))
        for call in range(2):
            log.write(_result(number, call))
    return file


def _result(number: int, call: int) -> str:
    block = {
        "type": "tool_result",
        "tool_use_id": f"t{call}",
        "content": "<tool_use_error>String to replace not found in file.</tool_use_error>",
        "is_error": True,
    }
    return _line(number, f"result-{call}", "user", {"role": "user", "content": [block]})


def _called(call: int) -> dict[str, Any]:
    use = {"type": "tool_use", "id": f"t{call}", "name": "Edit", "input": {"file_path": f"{call}"}}
    return {"id": f"m{call}", "role": "assistant", "model": "made-up", "content": [use]}


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "model": "made-up", "content": [{"type": "text", "text": text}]}


def _line(number: int, uuid: str, kind: str, message: dict[str, Any]) -> str:
    record = {
        "sessionId": f"bench-{number}",
        "uuid": uuid,
        "parentUuid": None,
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "type": kind,
        "message": message,
    }
    return f"{json.dumps(record)}\n"


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as log:
        log.write(line)
        log.flush()
        os.fsync(log.fileno())


def _spread(taken: Sequence[float]) -> dict[str, float]:
    median, p95 = np.quantile(taken, [0.5, 0.95])
    return {
        "median_ms": round(float(median), 1),
        "p95_ms": round(float(p95), 1),
        "max_ms": round(max(taken), 1),
    }
