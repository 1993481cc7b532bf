"""What a playbook's front matter may say of its remedy: one model a kind."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SYSTEM_PROMPT = "agent_core/prompts/system.md"


class Strict(BaseModel):
    """Unknown keys are refused: the format is ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitRule(Strict):
    """Which limit of a tool is raised, and how far."""

    name: str
    factor: float = Field(gt=1)
    cap: float = Field(gt=0)


class RaiseLimit(Strict):
    """Multiply a limit of the tool's spec, up to a cap."""

    kind: Literal["raise_limit"]
    limits: Mapping[str, Mapping[str, LimitRule]]
    """Tool → error class → rule."""


class SplitOutput(Strict):
    """Let the tool give a result that is too large in pages, with a pointer to the next."""

    kind: Literal["split_output"]
    argument: str
    description: str


class AcceptAlias(Strict):
    """Take another name of an argument that the recorded calls used."""

    kind: Literal["accept_alias"]
    synonyms: Mapping[str, tuple[str, ...]]
    """Argument → names that mean it; what is not here is told by what the calls lack."""


class AcceptValue(Strict):
    """Take another form of a value that the recorded calls used: a synonym, a number as text."""

    kind: Literal["accept_value"]
    synonyms: Mapping[str, tuple[str, ...]]
    """Value of an enumeration → words that mean it."""


class MendDefault(Strict):
    """Give an argument that calls leave out a default that serves."""

    kind: Literal["mend_default"]
    defaults: Mapping[str, Mapping[str, str | int | bool]]
    """Tool → argument → the default."""


class TemplateRule(Strict):
    """The message that a failure should have; what mentions all of `mentions` will do."""

    mentions: tuple[str, ...]
    template: str


class Hint(Strict):
    """A sentence that the message of a failure gets, unless it mentions all of `mentions`."""

    mentions: tuple[str, ...]
    sentence: str


class Guidance(Strict):
    """A line that a section of a prompt should have; one line with all of `mentions` will do."""

    section: str
    mentions: tuple[str, ...]
    line: str


class ActionableError(Strict):
    """Make a failure say what to do next, and the prompt too."""

    kind: Literal["actionable_error"]
    prompt: str = SYSTEM_PROMPT
    templates: Mapping[str, Mapping[str, TemplateRule]]
    """Tool, or `any` → error class, or class_case → rule."""
    guidance: Mapping[str, Guidance] = {}
    """Tool → line."""


class AddRule(Strict):
    """Add a line to a section of a prompt, and the same advice to the message of the failure."""

    kind: Literal["add_rule"]
    prompt: str = SYSTEM_PROMPT
    rules: Mapping[str, tuple[Guidance, ...]]
    """Error class, or `any` → lines."""
    hints: Mapping[str, Mapping[str, Hint]]
    """Tool → error class → hint."""


class ExampleRule(Strict):
    """A call that serves, and what must occur in an example for it to be there already."""

    mentions: str
    arguments: Mapping[str, Any]
    explains: str


class AddExample(Strict):
    """Show a call that serves in the tool's spec, and in the message of the failure."""

    kind: Literal["add_example"]
    examples: Mapping[str, ExampleRule]
    """By tool."""
    hint: Hint


class Wording(Strict):
    """What a description must say and must not; `text` takes its place where it is wrong.

    The words are compared without regard to case.
    """

    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    text: str


class MendDescription(Strict):
    """Put right what a tool's description promises, and let the failure say the same."""

    kind: Literal["mend_description"]
    wordings: Mapping[str, Mapping[str, Wording]]
    """Tool → argument, or `tool` for the description of the tool itself → wording."""
    hints: Mapping[str, Mapping[str, Hint]]
    """Tool → error class → hint."""


Remedy = Annotated[
    RaiseLimit
    | SplitOutput
    | AcceptAlias
    | AcceptValue
    | MendDefault
    | ActionableError
    | AddRule
    | AddExample
    | MendDescription,
    Field(discriminator="kind"),
]
