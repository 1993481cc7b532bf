"""Packed records come back as they were, and forged ones are refused."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from agent_core.errors import DataError
from agent_core.replay_packing import pack_record, unpack_record

CONTENTS = (b"one\r\n\ttwo  \n", b"\xff\x00", b"")
DIGESTS = [hashlib.sha256(content).hexdigest() for content in CONTENTS]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "blobs").mkdir(parents=True)
    for digest, content in zip(DIGESTS, CONTENTS, strict=True):
        (source / "blobs" / digest).write_bytes(content)
    calls = [{"number": 1, "files": dict(zip("abc", DIGESTS, strict=True))}]
    (source / "s1.json").write_text(json.dumps({"session_id": "s1", "calls": calls}))
    document = tmp_path / "packed.json"
    document.write_text(json.dumps(pack_record(source, "s1")))
    return document


def test_comes_back_as_it_was(packed: Path, tmp_path: Path) -> None:
    assert unpack_record(packed, tmp_path / "replay") == "s1"
    files = {f.name: f for f in (tmp_path / "replay").rglob("*") if f.is_file()}
    assert {name: files[name].read_bytes() for name in DIGESTS} == dict(
        zip(DIGESTS, CONTENTS, strict=True)
    )
    assert json.loads(files["s1.json"].read_text()) == json.loads(
        (tmp_path / "source/s1.json").read_text()
    )
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}


def test_a_blob_that_is_not_its_hash_is_refused(packed: Path, tmp_path: Path) -> None:
    packed.write_text(packed.read_text().replace("one", "two"))
    with pytest.raises(DataError, match="does not match its hash"):
        unpack_record(packed, tmp_path / "replay")
    assert not (tmp_path / "replay").exists()
