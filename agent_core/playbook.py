"""Playbooks: Markdown with TOML front matter that says when a remedy applies and what it is."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_core.errors import ConfigError
from agent_core.plan import Plan, Subtask

PLAYBOOKS_FOLDER = Path(__file__).parent / "playbooks"
_FENCE = "+++"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Applies(_Strict):
    """When: the tool and error class of the task are both among these."""

    tools: tuple[str, ...]
    error_classes: tuple[str, ...]


class LimitRule(_Strict):
    """Which limit of a tool is raised, and how far."""

    name: str
    factor: float = Field(gt=1)
    cap: float = Field(gt=0)


class RaiseLimit(_Strict):
    """Multiply a limit of the tool's spec, up to a cap."""

    kind: Literal["raise_limit"]
    limits: Mapping[str, LimitRule]
    """By tool."""


class TemplateRule(_Strict):
    """The message that a failure should have; what mentions all of `mentions` will do."""

    mentions: tuple[str, ...]
    template: str


class Guidance(_Strict):
    """A line that a section of a prompt should have; one line with all of `mentions` will do."""

    section: str
    mentions: tuple[str, ...]
    line: str


class ActionableError(_Strict):
    """Make a failure say what to do next, and the prompt too."""

    kind: Literal["actionable_error"]
    prompt: str = "agent_core/prompts/system.md"
    templates: Mapping[str, Mapping[str, TemplateRule]]
    """Tool → error class → rule."""
    guidance: Mapping[str, Guidance] = {}
    """Tool → line."""


class PlaybookStep(_Strict):
    """One subtask of the plan; a call of one of the tools that serves does it."""

    text: str
    tools: tuple[str, ...]


class FrontMatter(_Strict):
    """What stands between the fences."""

    name: str
    summary: str
    applies: Applies
    remedy: Annotated[RaiseLimit | ActionableError, Field(discriminator="kind")]
    steps: tuple[PlaybookStep, ...] = Field(min_length=1)
    acceptance: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook: its front matter and the text for a model or a person."""

    front: FrontMatter
    text: str

    def applies_to(self, tool: str, error_class: str) -> bool:
        """Whether the playbook is for this kind of failure."""
        applies = self.front.applies
        return tool in applies.tools and error_class in applies.error_classes

    def plan(self) -> Plan:
        """The steps as a plan."""
        return tuple(Subtask(step.text, frozenset(step.tools)) for step in self.front.steps)


def load_playbooks(folder: Path = PLAYBOOKS_FOLDER) -> tuple[Playbook, ...]:
    """The playbooks of a folder in the order of their names; ConfigError names a wrong file."""
    return tuple(parse_playbook(path.name, path.read_text("utf-8")) for path in _files(folder))


def parse_playbook(name: str, text: str) -> Playbook:
    """A playbook's text; ConfigError names the file and the key that is wrong."""
    opening, front, body = text.split(_FENCE, 2) if text.count(_FENCE) >= 2 else ("x", "", "")
    if opening.strip():
        raise ConfigError(f"{name} does not begin with front matter between two lines of +++")
    try:
        return Playbook(FrontMatter.model_validate(tomllib.loads(front)), body.strip())
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: the front matter is no valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{name}: {key}: {first['msg']}") from error


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.md"))
