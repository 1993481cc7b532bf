"""Playbooks: Markdown with TOML front matter that says when a remedy applies and what it is."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from agent_core.errors import ConfigError
from agent_core.plan import Plan, Subtask
from agent_core.remedies.rules import Remedy, Strict

PLAYBOOKS_FOLDER = Path(__file__).parent / "playbooks"
_FENCE = "+++"


class Applies(Strict):
    """When: the tool and error class of the task are both among these."""

    tools: tuple[str, ...]
    error_classes: tuple[str, ...]


class PlaybookStep(Strict):
    """One subtask of the plan; a call of one of the tools that serves does it."""

    text: str
    tools: tuple[str, ...]


class FrontMatter(Strict):
    """What stands between the fences."""

    name: str
    summary: str
    applies: Applies
    rank: int = 50
    """Of several that apply, the lower is carried out first."""
    remedy: Remedy
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
    """The playbooks of a folder by rank and name; ConfigError names a wrong file."""
    found = [parse_playbook(path.name, path.read_text("utf-8")) for path in _files(folder)]
    return tuple(sorted(found, key=lambda one: (one.front.rank, one.front.name)))


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
