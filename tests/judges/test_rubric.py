"""The shipped rubric, and what a rubric file may not be."""

from pathlib import Path

import pytest

from agent_core.errors import ConfigError
from judges.rubric import load_rubric


def test_names_are_those_of_the_contract() -> None:
    rubric = load_rubric()
    assert rubric.version == "2"
    assert rubric.names("friction") == (
        "error_event",
        "repeated_rephrasing",
        "escalation_tone",
        "platform_confusion",
        "abandoned_tool_flow",
        "backtracking",
        "context_churn",
        "correction",
        "other",
    )
    assert rubric.names("delight") == (
        "praise",
        "first_attempt_success",
        "time_saved",
        "rapid_approval",
        "learning_moment",
        "other",
    )


VALID = """
version = "2"
[unit]
definition = "d"
not_friction = []
[severity]
low = "l"
medium = "m"
high = "h"
[[friction]]
name = "other"
definition = "d"
[[delight]]
name = "other"
definition = "d"
"""


def test_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(VALID)
    assert load_rubric(path).version == "2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (VALID.replace('name = "other"', 'name = "odd"'), "1 validation error"),
        (VALID + '[[delight]]\nname = "other"\ndefinition = "d"\n', "1 validation error"),
        (VALID + "extra = 1\n", "1 validation error"),
        ("version = ", "cannot be used"),
    ],
    ids=["no other", "twice", "unknown key", "no toml"],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as raised:
        load_rubric(path)
    assert str(path) in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be used"):
        load_rubric(tmp_path / "none.toml")
