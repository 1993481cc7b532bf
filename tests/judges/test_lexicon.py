"""What of the words is looked for in a text that has the letters of ASCII alone."""

import re

import pytest

from judges.rules.lexicon import needs_other_letter


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        ("again", False),
        ("não", True),
        (r"fa[çc]a", False),
        ("fa(?:ç|c)a", False),
        ("(?:não|nunca) mais", False),
        ("(?:não|está) mal", True),
        ("(?:não )?mais", False),
        ("(?:(?:ça|là) va|déjà)", True),
        ("(?:(?:ça|la) va|déjà)", False),
        ("deja(?!à)", False),
        ("é?", False),
        ("é{0,2}", False),
        ("já|ja", False),
        ("hatası", False),  # the dotless i is the i of ASCII where case is ignored
        ("çalış", True),
        ("don’t", False),
    ],
)
def test_says_which_patterns_need_a_letter_beyond_ascii(pattern: str, needed: bool) -> None:
    assert needs_other_letter(pattern) is needed


def test_the_letters_in_disguise_are_all_there_are() -> None:
    """Of all letters beyond ASCII, those that match one of ASCII where case is ignored."""
    beyond = (chr(code) for code in range(128, 0x110000) if chr(code).isalpha())
    ascii_letter = re.compile("[a-z]", re.IGNORECASE)
    assert "".join(letter for letter in beyond if ascii_letter.match(letter)) == "\u0130\u0131\u017f\u212a"
