"""A tool's spec: the data beside its code, which drives limits, defaults and error messages."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent_core.errors import ConfigError
from agent_core.signature import ERROR_CLASSES
from agent_core.toolkit.errors import ToolError

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_Positive = Annotated[int | float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Property(_Strict):
    """One argument, as JSON schema says it."""

    type: Literal["string", "integer", "boolean"]
    description: str
    default: str | int | bool | None = None
    enum: tuple[str, ...] | None = None
    minimum: int | None = None


class Parameters(_Strict):
    """The JSON schema of all arguments."""

    type: Literal["object"]
    required: tuple[str, ...] = ()
    additionalProperties: Literal[False]
    properties: Mapping[str, Property]


class Example(_Strict):
    """A call that serves, and what it is good for."""

    arguments: Mapping[str, Any]
    explains: str


class ToolSpec(_Strict):
    """Everything of a tool that is data; a patch of it changes the tool's behaviour."""

    name: str
    description: str
    """May name limits: `{timeout_seconds}`."""
    parameters: Parameters
    aliases: Mapping[str, str] = {}
    """Other names that models use for an argument → its name."""
    limits: Mapping[str, _Positive] = {}
    errors: Mapping[str, str] = {}
    """Error class, or class_case → template of the message."""
    error_fields: Mapping[str, tuple[str, ...]] = {}
    """The same keys → the fields that the tool supplies for the template."""
    examples: tuple[Example, ...] = ()

    @model_validator(mode="after")
    def _templates_are_fillable(self) -> "ToolSpec":
        for key, template in self.errors.items():
            if not any(key == name or key.startswith(f"{name}_") for name in ERROR_CLASSES):
                raise ValueError(f"errors.{key} names no error class")
            unknown = set(_PLACEHOLDER.findall(template)) - set(self.error_fields.get(key, ()))
            if unknown:
                raise ValueError(f"errors.{key} uses {sorted(unknown)}, not in error_fields.{key}")
        if unknown := set(self.aliases.values()) - set(self.parameters.properties):
            raise ValueError(f"aliases point at unknown arguments {sorted(unknown)}")
        return self

    def filled_description(self) -> str:
        """The description with its limits, and the examples, as a model reads it."""
        lines = [fill(self.description, self.limits)]
        lines += [f"Example, {one.explains}: {dict(one.arguments)}" for one in self.examples]
        return "\n".join(lines)

    def message(self, error: ToolError) -> str:
        """The text of a failure; without a template, the class and the fields."""
        template = self.errors.get(error.template)
        if template is not None:
            return fill(template, error.fields)
        known = "; ".join(f"{name}: {value}" for name, value in error.fields.items())
        return f"{self.name} failed ({error.code}) {known}".strip()

    def checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments with aliases resolved and defaults added; ToolError invalid_arguments."""
        named = {self.aliases.get(name, name): value for name, value in arguments.items()}
        properties = self.parameters.properties
        problems = [f"no argument is called {name}" for name in named if name not in properties]
        problems += [f"{name} is missing" for name in self.parameters.required if name not in named]
        problems += [
            problem
            for name, value in named.items()
            if name in properties and (problem := _problem(name, value, properties[name]))
        ]
        if problems:
            names = ", ".join(properties) or "none"
            raise ToolError("invalid_arguments", problem="; ".join(problems), arguments=names)
        defaults = {n: p.default for n, p in properties.items() if p.default is not None}
        return defaults | named


def load_spec(path: Path) -> ToolSpec:
    """The spec in a TOML file; ConfigError names the file and the key that is wrong."""
    try:
        return ToolSpec.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name} is no valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the spec"
        raise ConfigError(f"{path.name}: {key}: {first['msg']}") from error


def fill(template: str, fields: Mapping[str, object]) -> str:
    """Plain `{name}` replaced; other braces and unknown names stay as they are."""
    return _PLACEHOLDER.sub(lambda m: str(fields.get(m.group(1), m.group(0))), template)


def _problem(name: str, value: object, wanted: Property) -> str | None:
    kinds = {"string": str, "integer": int, "boolean": bool}
    is_kind = isinstance(value, kinds[wanted.type])
    if not is_kind or (wanted.type == "integer" and isinstance(value, bool)):
        return f"{name} must be a {wanted.type}"
    if wanted.enum is not None and value not in wanted.enum:
        return f"{name} must be one of {', '.join(wanted.enum)}"
    if wanted.minimum is not None and isinstance(value, int) and value < wanted.minimum:
        return f"{name} must be at least {wanted.minimum}"
    return None
