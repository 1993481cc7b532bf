"""A model that must not be called."""

from typing import Any

from agent_core.model import ModelReply


class Nobody:
    """Stands where a judge is only asked what it would ask."""

    name = "m"

    def __call__(self, *_: Any, **__: Any) -> ModelReply:
        raise AssertionError("nobody is to be called")
