"""Patterns that are compiled when they are first used."""

import re
from types import ModuleType

import pytest

from agent_core import error_line, redaction, signature
from agent_core.lazy_pattern import _LazyPattern, lazy_pattern


def test_it_does_what_the_compiled_pattern_does() -> None:
    text = "One two, one."
    made, lazy = re.compile(r"\bone\b", re.I), lazy_pattern(r"\bone\b", re.I)
    assert lazy.findall(text) == made.findall(text) == ["One", "one"]
    assert [m.span() for m in lazy.finditer(text)] == [m.span() for m in made.finditer(text)]
    assert lazy.sub("1", text, count=1) == "1 two, one."
    assert lazy.split(text) == made.split(text)
    assert (lazy.search("two"), lazy.match("two one"), lazy.fullmatch("one!")) == (None,) * 3


def test_it_is_compiled_at_its_first_use_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = lazy_pattern("(")
    with pytest.raises(re.error):
        broken.search("")
    used = lazy_pattern("a")
    assert used.match("a")
    monkeypatch.setattr(re, "compile", None)
    assert (used.match("b"), used.sub("c", "a")) == (None, "c")


def test_it_has_nothing_else() -> None:
    with pytest.raises(AttributeError):
        assert lazy_pattern("a").groups


@pytest.mark.parametrize("module", [error_line, redaction, signature])
def test_all_of_them_compile(module: ModuleType) -> None:
    found = [value for value in vars(module).values() if isinstance(value, _LazyPattern)]
    tables = [value for value in vars(module).values() if isinstance(value, tuple)]
    found += [cell for table in tables for row in table if isinstance(row, tuple)
              for cell in row if isinstance(cell, _LazyPattern)]  # fmt: skip
    assert found
    for pattern in found:
        assert pattern.search("") is None or pattern.match("") is not None
