"""Bytes to records: compression, byte-order marks, NULs, broken and torn lines."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.sources import LogFile, UnreadableError
from pipelines.sources.json_lines import BrokenLine


def _zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def _log(tmp_path: Path, data: bytes) -> LogFile:
    path = tmp_path / "log.txt"
    path.write_bytes(data)
    return LogFile(path)


@pytest.mark.parametrize(
    ("data", "places", "broken", "torn"),
    [
        pytest.param(b'{"a":1}\n{"a":2}\n', ["line:1", "line:2"], [], None, id="plain"),
        pytest.param(b'\xef\xbb\xbf{"a":1}\r\n', ["line:1"], [], None, id="bom-crlf"),
        pytest.param('{"a":1}\n'.encode("utf-16"), ["line:1"], [], None, id="utf-16"),
        pytest.param(b'\0\0\0\n{"a":1}\0\0\n', ["line:2"], [], None, id="nuls"),
        pytest.param(b'\n\n{"a":1}\n', ["line:3"], [], None, id="blank-lines-count"),
        pytest.param(b'{"a":1}{"a":2}\n', ["line:1", "line:1.2"], [], None, id="two-on-a-line"),
        pytest.param(b'{"a":1}\n{"a":', ["line:1"], [], 2, id="torn-last-line"),
        pytest.param(b'{"a":1}\n{"a":2}', ["line:1", "line:2"], [], None, id="no-last-newline"),
        pytest.param(
            b'{"a":1}\n{"b\n{"a":3}\n',
            ["line:1", "line:3"],
            [BrokenLine(2, "not valid JSON at character 2")],
            None,
            id="broken-line",
        ),
        pytest.param(
            b'{"a":1}{"secret\n{"a":2}\n',
            ["line:1", "line:2"],
            [BrokenLine(1, "not valid JSON at character 9")],
            None,
            id="half-of-a-line-is-kept",
        ),
        pytest.param(
            b'{"a":1}\n' + b"[" * 5000 + b"]" * 5000 + b"\n",
            ["line:1"],
            [BrokenLine(2, "nested too deeply")],
            None,
            id="deep-nesting",
        ),
        pytest.param(
            b'{"a":1}\n' + b"[" * 400 + b"]" * 400 + b"\n",
            ["line:1"],
            [BrokenLine(2, "nested too deeply")],
            None,
            id="too-deep-to-store",
        ),
    ],
)
def test_lines_decode_with_their_places(
    tmp_path: Path, data: bytes, places: list[str], broken: list[BrokenLine], torn: int | None
) -> None:
    log = _log(tmp_path, data)
    read = ([record.place for record in log.records], log.broken_lines, log.torn_line)
    assert read == (places, broken, torn)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(rb'["\ud83d alone"]', ["? alone"], id="lone-surrogate"),
        pytest.param(b'["\xff"]', ["\ufffd"], id="not-utf-8"),
        pytest.param(b"[NaN, Infinity]", [None, None], id="nan"),
    ],
)
def test_what_orjson_refuses_is_read(tmp_path: Path, text: bytes, value: list[object]) -> None:
    assert [record.value for record in _log(tmp_path, text).records] == [value]


@pytest.mark.parametrize("compress", [gzip.compress, _zstd], ids=["gzip", "zstd"])
def test_compression_is_transparent_whatever_the_name(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    data = b'{"a":1}\n{"a":2}\n'
    assert _log(tmp_path, compress(data)).data == data


def test_a_stream_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    whole = b"".join(b'{"number":%d}\n' % n for n in range(20_000))
    log = _log(tmp_path, gzip.compress(whole)[:-200])
    assert len(log.records) > 1000
    assert log.is_cut_short
    assert whole.startswith(log.data)


def test_a_compression_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b" " * (5 << 20)))
    with pytest.raises(UnreadableError, match="larger than 1 MB when decompressed"):
        _ = LogFile(path, max_bytes=1 << 20).data


def test_a_document_over_many_lines_is_one_value(tmp_path: Path) -> None:
    log = _log(tmp_path, b'{\n  "a": [\n    1\n  ]\n}\n')
    assert (log.head.document, log.head.records) == ({"a": [1]}, ())


def test_the_rest_of_a_torn_line_is_picked_up(tmp_path: Path) -> None:
    torn = _log(tmp_path, b'{"a":1}\n{"a"')
    assert (torn.torn_line, len(torn.records)) == (2, 1)
    whole = _log(tmp_path, b'{"a":1}\n{"a":2}\n')
    assert (whole.torn_line, len(whole.records)) == (None, 2)


@pytest.mark.parametrize(
    ("line", "places", "reason"),
    [
        pytest.param(
            b'{"d":[' + b"{}," * 2_000_001 + b"0]}",
            [],
            "more values in one text than memory has room for",
            id="millions-of-empty-objects",
        ),
        pytest.param(
            b"{}" * 1_001,
            ["line:2", *(f"line:2.{n}" for n in range(2, 1_001))],
            "more than 1000 values on a line",
            id="many-values-on-a-line",
        ),
    ],
)
def test_a_line_that_would_fill_the_memory_is_broken(
    tmp_path: Path, line: bytes, places: list[str], reason: str
) -> None:
    log = _log(tmp_path, gzip.compress(b'{"a":1}\n' + line + b'\n{"a":3}\n'))
    assert [record.place for record in log.records] == ["line:1", *places, "line:3"]
    assert log.broken_lines == [BrokenLine(2, reason)]


def test_broken_lines_at_the_top_hide_nothing(tmp_path: Path) -> None:
    log = _log(tmp_path, b'garbage\n{"a":\n"x"}\n[1,\n{"a":5}\n')
    assert log.head.records == ({"a": 5},)
