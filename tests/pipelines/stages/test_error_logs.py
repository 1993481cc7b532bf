"""Error logs of services, from files as services write them."""

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import BadInputError
from pipelines.context import Context
from pipelines.stages.error_logs import ingest_error_logs
from pipelines.warehouse import query
from tests.pipelines.conftest import NOW

_CANARY = "heron-4711"


def _lines(path: Path, *records: Any) -> Path:
    texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def _rows(context: Context) -> list[tuple[Any, ...]]:
    columns = "strftime(occurred_at, '%d %H:%M:%S'), service, severity, error_class"
    with context.warehouse() as connection:
        return query(connection, f"SELECT {columns} FROM error_logs ORDER BY ALL").rows()


def test_lines_of_many_loggers_become_rows(context: Context, tmp_path: Path) -> None:
    path = _lines(
        tmp_path / "errors.jsonl",
        {"timestamp": "2026-10-01T12:00:00Z", "level": "ERROR", "service": "api",
         "message": f"request to {_CANARY} timed out after 30 s"},
        {"time": 1790856001000, "level": 50, "name": "x", "msg": "connection refused"},
        {"ts": 1790856002.5, "severity": "critical", "service": {"name": "db"},
         "error": {"type": "DiskError", "message": "no such file: /var/x"}},
        {"asctime": "2026-10-01 12:00:03,250", "levelname": "INFO", "message": "started"},
    )  # fmt: skip
    report = ingest_error_logs(context, [path])
    assert (report.errors, report.new, report.passed_over, report.broken) == (3, 3, 1, ())
    assert _rows(context) == [
        ("01 12:00:00", "api", "error", "timeout"),
        ("01 12:00:01", None, "error", "network"),
        ("01 12:00:02", "db", "fatal", "not_found"),
    ]


def _otlp(*records: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "billing"}}]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": list(records)}]}]}


@pytest.mark.parametrize("is_pretty", [False, True], ids=["one line", "document"])
def test_otlp_logs_are_read_gzipped(context: Context, tmp_path: Path, is_pretty: bool) -> None:
    at = str(int(NOW.timestamp()) * 10**9)
    later = str(int((NOW + timedelta(seconds=5)).timestamp()) * 10**9)
    document = _otlp(
        {"timeUnixNano": at, "severityNumber": 17, "body": {"stringValue": "rate limit reached"}},
        {"observedTimeUnixNano": later, "severityNumber": 21, "body": {"stringValue": "failed"},
         "attributes": [{"key": "exception.message", "value": {"stringValue": "disk timeout"}}]},
        {"timeUnixNano": at, "severityNumber": 9, "body": {"stringValue": "hello"}},
    )  # fmt: skip
    path = tmp_path / "otlp.json.gz"
    path.write_bytes(gzip.compress(json.dumps(document, indent=2 if is_pretty else None).encode()))
    report = ingest_error_logs(context, [path])
    assert (report.errors, report.passed_over, report.broken) == (2, 1, ())
    assert _rows(context) == [
        ("01 12:00:00", "billing", "error", "rate_limit"),
        ("01 12:00:05", "billing", "fatal", "timeout"),
    ]


def test_a_second_reading_and_an_overlapping_file_add_nothing_twice(
    context: Context, tmp_path: Path
) -> None:
    same = {"time": "2026-10-01T12:00:00Z", "level": "error", "message": "timed out"}
    other = same | {"time": "2026-10-01T13:00:00Z"}
    first = _lines(tmp_path / "a.jsonl", same, same)
    second = _lines(tmp_path / "b.jsonl", same, same, other)
    assert [ingest_error_logs(context, [path]).new for path in (first, first, second)] == [2, 0, 1]


def test_bad_lines_are_counted_and_named(context: Context, tmp_path: Path) -> None:
    path = _lines(
        tmp_path / "bad.jsonl",
        {"time": "2026-10-01T12:00:00Z", "message": "timed out"},
        f"not json {_CANARY}",
        {"message": f"{_CANARY} has no time"},
        {"time": "2026-10-01T12:00:00Z", "level": "error"},
        [1],
    )
    report = ingest_error_logs(context, [path])
    assert (report.errors, report.counts["broken"]) == (1, 4)
    assert sorted(report.broken) == [
        f"{path} line:2: not valid JSON at character 1",
        f"{path} line:3: no time",
        f"{path} line:4: no message",
        f"{path} line:5/0: not a JSON object",
    ]


def test_no_text_of_a_log_reaches_the_warehouse(context: Context, tmp_path: Path) -> None:
    path = _lines(
        tmp_path / "errors.jsonl",
        {"time": "2026-10-01T12:00:00Z", "service": f"runs on {_CANARY}",
         "message": f"file {_CANARY} not found", "user": _CANARY},
    )  # fmt: skip
    ingest_error_logs(context, [path])
    with context.warehouse() as connection:
        (row,) = query(connection, "SELECT * FROM error_logs").rows()
    assert row[2].startswith("service:")
    assert _CANARY not in str(row)
    assert _CANARY.encode() not in context.home.warehouse.read_bytes()


def test_a_file_that_is_no_log_is_refused_before_anything_is_written(
    context: Context, tmp_path: Path
) -> None:
    good = _lines(tmp_path / "a.jsonl", {"time": "2026-10-01T12:00:00Z", "message": "timed out"})
    text = tmp_path / "b.txt"
    text.write_text("plain text\nover lines\n")
    with pytest.raises(BadInputError, match=r"b\.txt: cannot be read as an error log"):
        ingest_error_logs(context, [good, text])
    assert _rows(context) == []
