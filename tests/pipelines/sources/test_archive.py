"""Zip archives: each member within bounds, and a reason for each that cannot be had."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from pipelines.sources import LogFile, UnreadableError
from pipelines.sources.archive import Archive

_MB = 1 << 20


def _zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return content.getvalue()


def _set(content: bytes, place: int, value: int) -> bytes:
    """The archive with another 16-bit value at a place of its one member's directory entry."""
    at = content.index(b"PK\1\2") + place
    return content[:at] + struct.pack("<H", value) + content[at + 2 :]


def _reason(content: bytes, name: str = "a", max_member: int = _MB) -> str:
    with pytest.raises(UnreadableError) as error:
        Archive(content, max_member).read(name)
    return str(error.value)


def test_members_are_read_by_name() -> None:
    archive = Archive(_zip(("a", b"1"), ("b/c", b"2"), ("d", b"")), _MB)
    assert {name: archive.read(name) for name in archive.namelist()} == {
        "a": b"1",
        "b/c": b"2",
        "d": b"",
    }
    with pytest.raises(KeyError):
        archive.read("x")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_with_one_name_the_last_counts() -> None:
    archive = Archive(_zip(("a", b"1"), ("a", b"2")), _MB)
    assert archive.namelist() == ["a"]
    assert archive.read("a") == b"2"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_zip(("a", b"x" * (_MB + 1))), "larger than 1 MB"),
        (_zip(("a", b"text"), method=zipfile.ZIP_STORED).replace(b"text", b"tent"), "checksum"),
        (_set(_zip(("a", b"text")), 8, 1), "encrypted"),
        (_set(_zip(("a", b"text")), 10, 12), "damaged"),
        (_set(_zip(("a", b"text")), 10, 97), "compressed with method 97"),
        (_set(_zip(("a", b"text")), 10, 93), "damaged"),
        (_set(_set(_zip(("a", b"text")), 10, 93), 42, 9), "damaged (no header)"),
    ],
    ids=["too large", "bytes", "encrypted", "bzip2", "unknown method", "zstd", "no header"],
)
def test_what_cannot_be_had_has_a_reason(content: bytes, reason: str) -> None:
    told = _reason(content)
    assert told.startswith(reason) or (reason == "checksum" and told == "damaged (BadZipFile)")


def test_an_archive_that_expands_too_far_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.sources.archive._FREE_BYTES", 3 * _MB)
    members = [(str(number), b"x" * _MB) for number in range(9)]
    archive = Archive(_zip(*members), _MB)
    assert [len(archive.read(name)) for name in archive.namelist()[:3]] == [_MB] * 3
    for name in archive.namelist()[3:]:
        with pytest.raises(UnreadableError, match="expands too far: taken for a zip bomb"):
            archive.read(name)


def test_an_archive_without_its_end_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.eval"
    path.write_bytes(_zip(("a", b"text"))[:-30])
    with pytest.raises(UnreadableError, match="a damaged or unfinished zip archive"):
        _ = LogFile(path).head
