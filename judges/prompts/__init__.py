"""The model judge's prompts: versioned files, the version being a hash of their content."""

import hashlib
from functools import cache
from importlib import resources
from typing import Literal

from judges.rubric import MomentType, Rubric

PromptName = Literal["system", "find", "verify", "rewrite"]
_NAMES: tuple[PromptName, ...] = ("system", "find", "verify", "rewrite")


def prompt(name: PromptName, rubric: Rubric) -> str:
    """A prompt with the rubric filled in; the same text for every session (cacheable).

    `system` leads both passes, `find` and `verify` end them, `rewrite` stands alone.
    """
    return _source(name).replace("{rubric}", _rubric_text(rubric))


@cache
def prompt_version() -> str:
    """First 12 hex digits over all prompts; a changed word is a new version."""
    return hashlib.sha256("\0".join(_source(name) for name in _NAMES).encode()).hexdigest()[:12]


@cache
def _source(name: PromptName) -> str:
    return resources.files(__package__).joinpath(f"{name}.md").read_text(encoding="utf-8")


def _rubric_text(rubric: Rubric) -> str:
    lines = ["What is judged", rubric.unit.definition, "", "Never friction"]
    lines += [f"- {case}" for case in rubric.unit.not_friction]
    lines += ["", "Severity"]
    lines += [f"- {degree}: {rule}" for degree, rule in rubric.severity.model_dump().items()]
    lines += ["", "Types of friction", *map(_type_text, rubric.friction)]
    lines += ["", "Types of delight", *map(_type_text, rubric.delight)]
    return "\n".join(lines)


def _type_text(kind: MomentType) -> str:
    yes = f" For example: {'; '.join(kind.examples)}." if kind.examples else ""
    no = f" Not: {'; '.join(kind.counter_examples)}." if kind.counter_examples else ""
    return f"- {kind.name}: {kind.definition}{yes}{no}"
