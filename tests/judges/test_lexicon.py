"""What of the words is looked for in a text that has the letters of ASCII alone."""

import re

import pytest

from judges.rules import lexicon
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
    found = {letter: ascii_letter.match(letter) for letter in beyond}
    assert [letter for letter, match in found.items() if match] == list(lexicon._ASCII_IN_DISGUISE)
    for letter, plain in lexicon._ASCII_IN_DISGUISE.items():
        assert re.fullmatch(letter, plain, re.IGNORECASE)


def test_all_that_is_listed_stands_in_small_letters() -> None:
    """Text that has the letters of ASCII alone is put into small letters, not its patterns."""
    patterns = [
        pattern
        for kind in lexicon._listed().values()
        for listed in kind.values()
        for pattern in listed
    ]
    assert [one for one in patterns if re.search("[A-Z]", re.sub(r"\\[A-Z]", "", one))] == []


_WORDS = (
    "Nothing HAPPENS", "it still FAILS", "That is Not what I asked", "Dosya HATASI var",
    "İ am stuck", "ıs it stuCK", "hatasi", "Why? “Why” did you do that?!",
    "É falso", "不对", "BROKEN — again", "no funciona nada", "it works",
    "Thanks!", "", "²³ tests failed", "the \u212aitchen is wrong",
)  # fmt: skip


@pytest.mark.parametrize("text", _WORDS)
def test_what_is_said_is_what_all_patterns_find_ignoring_case(text: str) -> None:
    kinds = lexicon._listed()
    found = {kind for kind in kinds if lexicon.says(kind, text)}
    whole = {
        kind: re.compile(lexicon._joined(lexicon._Kind(**listed)), re.IGNORECASE)
        for kind, listed in kinds.items()
    }
    assert found == {kind for kind, pattern in whole.items() if pattern.search(text)}
