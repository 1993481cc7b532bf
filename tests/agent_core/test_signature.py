"""The signature of a failure: the same for the same failure, and quick for any text."""

import time

import pytest

from agent_core.signature import error_signature


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        ("error: no file at C:\\a\\b.py", "error: no file at <path>"),
        ("ok\nerror in /a/b-c/d.py line 12", "error in <path> line <n>"),
        ("error in ../../x/y and a@b/c", "error in <path> and <path>"),
        ("failed --file=src/a.py 'x' 0123abcdef", "failed --file=<path> <text> <id>"),
        ("", ""),
    ],
)
def test_what_differs_is_taken_out(text: str, signature: str) -> None:
    assert error_signature(text) == signature


@pytest.mark.slow
@pytest.mark.parametrize("part", ["a", "/", "../", "a.", " ", "1"])
def test_a_thousand_long_lines_take_seconds(part: str) -> None:
    started = time.monotonic()
    for _ in range(1_000):
        error_signature("error " + part * 4_000)
    assert time.monotonic() - started < 5
