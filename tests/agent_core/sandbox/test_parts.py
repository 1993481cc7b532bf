"""Parts of the sandboxes that need no kernel feature."""

from pathlib import Path

import pytest

from agent_core.sandbox.confinement import Confinement
from agent_core.sandbox.seatbelt import profile
from agent_core.sandbox.supervision import CappedOutput


@pytest.mark.parametrize(
    ("chunks", "text", "dropped"),
    [
        ([], "", 0),
        ([b"abc"], "abc", 0),
        ([b"abcdefgh"], "abcdefgh", 0),
        ([b"abcd", b"efgh", b"ij"], "abcd\n[... 2 bytes of output dropped ...]\nghij", 2),
        ([b"abcdefghij"], "abcd\n[... 2 bytes of output dropped ...]\nghij", 2),
        ([b"\xff"], "\ufffd", 0),
    ],
    ids=["nothing", "short", "exactly full", "in chunks", "in one chunk", "not text"],
)
def test_output_keeps_its_beginning_and_its_end(
    chunks: list[bytes], text: str, dropped: int
) -> None:
    output = CappedOutput(8)
    for chunk in chunks:
        output.add(chunk)
    assert (output.text(), output.dropped) == (text, dropped)


def test_the_profile_for_macos_denies_all_but_the_lists() -> None:
    confinement = Confinement(
        cwd=Path("/w"), writable=(Path('/w "quoted"'),), readable=(Path("/r"),)
    )
    lines = profile(confinement).splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    assert lines[-1] == "(deny network*)"
    (write,) = [line for line in lines if line.startswith("(allow file-write* ")]
    assert write == '(allow file-write* (subpath "/w \\"quoted\\""))'
    (read,) = [line for line in lines if line.startswith("(allow file-read* ")]
    assert '(subpath "/r")' in read
    assert '(subpath "/Users")' not in read
