"""Long output made short."""

import tracemalloc
from collections.abc import Iterator

import pytest

from agent_core.condense import Shape, condense, condense_lines

SHAPE = Shape(head_lines=2, tail_lines=2, error_lines=2)
WIDE = Shape(head_lines=1, tail_lines=1, error_lines=6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("a\nb\n", "a\nb", id="short"),
        pytest.param("\n".join("abcdef"), "a\nb\nc\nd\ne\nf", id="just short enough"),
        pytest.param("a\r\nb\x0cc\n\nd", "a\nb\nc\n\nd", id="line ends of all kinds"),
        pytest.param(
            "1\n2\nok\nError: x\nok\nFAILED y\nassert z\n8\n9",
            "1\n2\n"
            "[5 lines left out (3 to 7), 3 of them tell of errors, 2 of those follow; for others "
            "call it again with command=\"(the same) 2>&1 | sed -n '3,7p'\", in parts, or with "
            "| grep]\n"
            "4: Error: x\n6: FAILED y\n"
            "[the last 2 of 9 lines]\n8\n9",
            id="long",
        ),
        pytest.param("x" * 503, "x" * 500 + " [3 characters left out]", id="long line"),
    ],
)
def test_keeps_head_tail_and_errors(text: str, expected: str) -> None:
    assert condense(text, SHAPE) == expected


def test_a_hundred_thousand_lines_stay_readable() -> None:
    text = "\n".join(f"error {i}" if i % 1000 == 0 else f"line {i}" for i in range(100_000))
    shortened = condense(text, Shape()).splitlines()
    assert len(shortened) == 40 + 1 + 4 + 2 + 1 + 60
    assert shortened[40] == (
        "[99900 lines left out (41 to 99940), 99 of them tell of errors, 1 of those follow; for "
        "others call it again with command=\"(the same) 2>&1 | sed -n '41,99940p'\", in parts, or "
        "with | grep]"
    )
    assert shortened[41:47] == [
        "999- line 998",
        "1000- line 999",
        "1001: error 1000 [and 98 more like it]",
        "1002- line 1001",
        "[99801 of the lines left out are like: line 40]",
        "[99 of the lines left out are like: error 1000]",
    ]
    assert shortened[47] == "[the last 60 of 100000 lines]"


def test_what_names_the_cause_stands_before_what_came_first() -> None:
    noise = [f"no errors in part {part}" for part in "abcdefghij"]
    text = "\n".join(
        ["begin", *noise, "in load()", "ValueError: no such row", "rest", *noise, "end"]
    )
    lines = condense(text, WIDE).splitlines()
    assert "13: ValueError: no such row" in lines
    assert "12- in load()" in lines
    assert [line.partition(" ")[0] for line in lines if line[:1].isdigit()] == [
        *("2:", "3:", "4:"),
        *("12-", "13:", "14-"),
    ]


def test_says_how_the_tool_shows_more() -> None:
    text = "\n".join(map(str, range(100)))
    assert "call again with from_line=3 to 98]" in condense(
        text, SHAPE, "call again with from_line={first} to {last}"
    )


@pytest.mark.slow
def test_memory_does_not_grow_with_the_lines() -> None:
    def endless(count: int) -> Iterator[str]:
        for number in range(count):
            yield f"error {'abcdefghij'[number % 10] * (number % 3001)}"

    peaks = []
    for count in (10_000, 40_000):
        tracemalloc.start()
        condense_lines(endless(count), Shape())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_is_the_same_for_the_same_lines() -> None:
    text = "\n".join(f"warning: {i % 7} {i % 11}" for i in range(5_000))
    assert condense(text, Shape()) == condense(text, Shape())
