"""Texts that a sample holds once and refers to as `attachment://<key>`."""

from collections.abc import Mapping
from typing import Any

_MARKS = ("attachment://", "tc://")
"""The second is what the first was called in 2024."""
_MAX_CHARS = 1 << 28


class Attachments:
    """Puts the texts back into values, up to a bound: a bomb refers to one text a million times."""

    def __init__(self, sample: Mapping[str, Any]) -> None:
        texts = sample.get("attachments")
        self._texts: Mapping[str, Any] = texts if isinstance(texts, dict) else {}
        self._left = _MAX_CHARS

    def put_back(self, value: Any) -> Any:
        """The value with each reference that the sample knows replaced by its text."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.put_back(item) for item in value]
        if isinstance(value, dict):
            return {key: self.put_back(item) for key, item in value.items()}
        return value

    def _text(self, text: str) -> str:
        mark = next(filter(text.startswith, _MARKS), None)
        content = self._texts.get(text[len(mark) :]) if mark else None
        if not isinstance(content, str) or len(content) > self._left:
            return text
        self._left -= len(content)
        return content
