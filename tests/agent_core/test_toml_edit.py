"""Single values change; comments and layout do not."""

import tomllib

import pytest

from agent_core.toml_edit import value_lines, with_value

TEXT = '''# top
[limits]   # of a call
# why
timeout = 2  # seconds
size = 5

[errors]
plain = "no"
long = """
several
= lines
[limits]
timeout = 9"""
'''


@pytest.mark.parametrize(
    ("table", "key", "value", "old", "new"),
    [
        pytest.param("limits", "timeout", 20, "timeout = 2  #", "timeout = 20  #", id="number"),
        pytest.param("limits", "size", 0.5, "size = 5", "size = 0.5", id="fraction"),
        pytest.param("errors", "plain", 'a "b"', '"no"', '"a \\"b\\""', id="text"),
        pytest.param(
            "errors", "plain", "a\\t\n{b}", '"no"', '"""\na\\\\t\n{b}"""', id="text of lines"
        ),
        pytest.param(
            "errors",
            "long",
            "short",
            '"""\nseveral\n= lines\n[limits]\ntimeout = 9"""',
            '"short"',
            id="replaces all lines of a value",
        ),
        pytest.param(
            "limits",
            "new",
            7,
            "[limits]   # of a call\n",
            "[limits]   # of a call\nnew = 7\n",
            id="new key",
        ),
        pytest.param(
            "limits", "on", True, "# of a call\n", "# of a call\non = true\n", id="boolean"
        ),
        pytest.param(
            "more", "x", 1, 'timeout = 9"""\n', 'timeout = 9"""\n\n[more]\nx = 1\n', id="new table"
        ),
    ],
)
def test_changes_one_value(table: str, key: str, value: str | float, old: str, new: str) -> None:
    changed = with_value(TEXT, table, key, value)
    assert changed == TEXT.replace(old, new, 1)
    assert tomllib.loads(changed)[table][key] == value


def test_changes_what_stands_before_the_first_table() -> None:
    text = 'name = "x"\nabout = """\n[no table]\n"""\n\n[limits]\nname = 1\n'
    assert with_value(text, "", "name", "y") == text.replace('"x"', '"y"')
    assert with_value(text, "", "lines", ["a", "b"]) == text.replace(
        '"""\n\n[limits]', '"""\nlines = ["a", "b"]\n\n[limits]'
    )
    assert tomllib.loads(with_value("", "", "a", 1)) == {"a": 1}


def test_finds_a_value_only_in_its_table() -> None:
    assert value_lines(TEXT, "limits", "timeout") == (3, 4)
    assert value_lines(TEXT, "errors", "long") == (8, 13)
    assert value_lines(TEXT, "errors", "timeout") is None
    assert value_lines(TEXT, "none", "timeout") is None
