"""What holds for every log format, shown on the cases of its test table."""

import gzip
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from agent_core.session import Session, Step
from pipelines.sources import FORMATS, LogFile, read_file
from tests.pipelines.sources.all_cases import ALL_CASES, cases_by_format
from tests.pipelines.sources.format_table import Case, read_case, told

_EACH_CASE = pytest.mark.parametrize(
    ("name", "case"),
    [pytest.param(name, case, id=f"{name}-{case_id}") for name, case_id, case in ALL_CASES],
)


def test_every_format_has_a_test_table() -> None:
    assert {name for name, cases in cases_by_format().items() if cases} == FORMATS.keys()


@_EACH_CASE
def test_no_other_format_takes_its_files(name: str, case: Case, tmp_path: Path) -> None:
    readings = read_case(case, tmp_path)
    takers = {
        (source.name, reading.path.name)
        for reading in readings
        if reading.format == name
        for source in FORMATS.values()
        if source.detect(LogFile(reading.path).head) and not source.is_general
    }
    assert {taker for taker, _ in takers} <= {name}
    assert any(reading.format == name for reading in readings)


@_EACH_CASE
@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True)], ids=["gz", "zst"]
)
def test_compression_changes_nothing(
    name: str, case: Case, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    plain = read_case(case, tmp_path)
    packed = read_case(
        case._replace(files={path: pack(content) for path, content in case.files.items()}),
        tmp_path,
    )
    assert [_outcome(reading.sessions) for reading in packed] == [
        _outcome(reading.sessions) for reading in plain
    ]
    assert [reading.quarantined for reading in packed] == [r.quarantined for r in plain]


@_EACH_CASE
def test_sessions_are_well_formed(name: str, case: Case, tmp_path: Path) -> None:
    for reading in read_case(case, tmp_path):
        for session in reading.sessions:
            assert session.key.startswith(f"{session.format}:{session.session_id}")
            assert session.source_path == str(reading.path)
            assert session.steps
            assert _repeated(session) == []
            assert [fault for step in session.steps for fault in _faults(step)] == []


@_EACH_CASE
def test_a_file_may_end_in_the_middle_of_any_record(name: str, case: Case, tmp_path: Path) -> None:
    """What is whole is read; what is not is torn, broken or unknown, and never an error in us."""
    for path, content in case.files.items():
        for share in (0.25, 0.5, 0.75, 0.97):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content[: int(len(content) * share)])
            reading = read_file(tmp_path / path)
            assert reading.status != "unreadable" or "damaged" in (reading.detail or "")


def _outcome(sessions: tuple[Session, ...]) -> list[list[str]]:
    return [told(session) for session in sessions]


def _repeated(session: Session) -> list[str]:
    refs = Counter(step.source_ref for step in session.steps)
    return [ref for ref, count in refs.items() if count > 1]


def _faults(step: Step) -> list[str]:
    """What is wrong with a step, whatever its format."""
    tokens = step.tokens
    checks = {
        "a turn that is not the user's": step.is_person and step.source != "user",
        "a turn that is an answer": step.is_person and bool(step.tool_calls),
        "a time without zone": step.timestamp is not None
        and step.timestamp.utcoffset() != timedelta(0),
        "more cached than sent": tokens and tokens.cached + tokens.cache_write > tokens.input,
        "more thought than said": tokens and tokens.reasoning > tokens.output,
        "more kept for an hour than kept": tokens and tokens.cache_write_hour > tokens.cache_write,
        "an error without class": any(
            seen.is_error and not (seen.error_class and seen.error_signature is not None)
            for seen in step.observations
        ),
    }
    return [f"{step.source_ref}: {fault}" for fault, holds in checks.items() if holds]
