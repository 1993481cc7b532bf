"""Long output made short."""

import pytest

from agent_core.condense import Shape, condense

SHAPE = Shape(head_lines=2, tail_lines=2, error_lines=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("a\nb\n", "a\nb", id="short"),
        pytest.param("\n".join("abcdef"), "a\nb\nc\nd\ne\nf", id="just short enough"),
        pytest.param(
            "1\n2\nok\nError: x\nok\nFAILED y\nassert z\n8\n9",
            "1\n2\n"
            "[5 lines left out (3 to 7), 3 of them tell of errors, 2 of those follow; for others "
            "run the command again with | sed -n '3,7p' in parts, or with | grep]\n"
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
    text = "\n".join("error" if i % 1000 == 0 else f"line {i}" for i in range(100_000))
    shortened = condense(text, Shape()).splitlines()
    assert len(shortened) == 40 + 1 + 30 + 1 + 60
    assert "99900 lines left out (41 to 99940), 99 of them tell of errors" in shortened[40]
