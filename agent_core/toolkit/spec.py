"""A tool's spec: the data beside its code, which drives limits, defaults and error messages."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent_core.errors import ConfigError
from agent_core.signature import ERROR_CLASSES
from agent_core.toolkit.errors import ToolError

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SHOWN_CHARS = 60
ALWAYS_SUPPLIED = ("given", "example")
"""Fields that a template may use for every failure: the call's arguments, and one that serves."""
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
    values: Mapping[str, Mapping[str, str]] = {}
    """Argument → other values that models give → the value that is meant."""
    coerced: tuple[str, ...] = ()
    """Numbers and booleans that may come as text, as models send them."""
    paging: str | None = None
    """The integer argument that picks a page of a result longer than `limits.output_chars`;
    None: such a result is a failure."""

    @model_validator(mode="after")
    def _templates_are_fillable(self) -> "ToolSpec":
        for key, template in self.errors.items():
            if not any(key == name or key.startswith(f"{name}_") for name in ERROR_CLASSES):
                raise ValueError(f"errors.{key} names no error class")
            supplied = {*self.error_fields.get(key, ()), *ALWAYS_SUPPLIED}
            unknown = set(_PLACEHOLDER.findall(template)) - supplied
            if unknown:
                raise ValueError(f"errors.{key} uses {sorted(unknown)}, not in error_fields.{key}")
        if unknown := set(self.aliases.values()) - set(self.parameters.properties):
            raise ValueError(f"aliases point at unknown arguments {sorted(unknown)}")
        return self

    @model_validator(mode="after")
    def _arguments_are_known(self) -> "ToolSpec":
        properties = self.parameters.properties
        named = {"values": set(self.values), "coerced": set(self.coerced)}
        for table, names in named.items():
            if unknown := names - set(properties):
                raise ValueError(f"{table} names unknown arguments {sorted(unknown)}")
        page = properties.get(self.paging) if self.paging else None
        if self.paging and (page is None or page.type != "integer"):
            raise ValueError(f"paging names {self.paging}, which is no integer argument")
        return self

    def filled_description(self) -> str:
        """The description with its limits, and the examples, as a model reads it."""
        lines = [fill(self.description, self.limits)]
        lines += [f"Example, {one.explains}: {dict(one.arguments)}" for one in self.examples]
        return "\n".join(lines)

    def message(self, error: ToolError, arguments: Mapping[str, Any] | None = None) -> str:
        """The text of a failure; without a template, the class and the fields.

        `arguments` are those of the call, for templates that show what was given.
        """
        template = self.errors.get(error.template)
        if template is not None:
            always = {"given": given_text(arguments or {}), "example": self.example_text()}
            return fill(template, always | error.fields)
        known = "; ".join(f"{name}: {value}" for name, value in error.fields.items())
        return f"{self.name} failed ({error.code}) {known}".strip()

    def checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments with aliases resolved and defaults added; ToolError invalid_arguments."""
        named = {self.aliases.get(name, name): value for name, value in arguments.items()}
        named = {name: self._meant(name, value) for name, value in named.items()}
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

    def example_text(self) -> str:
        """The first example as a call, for messages."""
        if not self.examples:
            return f"{self.name} with {', '.join(self.parameters.properties)}"
        return f"{self.name} {json.dumps(dict(self.examples[0].arguments), ensure_ascii=False)}"

    def _meant(self, name: str, value: object) -> object:
        """The value that is meant by one that models give in its place."""
        if not isinstance(value, str):
            return value
        if name in self.coerced:
            wanted = self.parameters.properties[name].type
            return _NUMBERS[wanted](value) if wanted in _NUMBERS else value
        return self.values.get(name, {}).get(value.strip().lower(), value)


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


def given_text(arguments: Mapping[str, Any]) -> str:
    """What a call was given, each value by the beginning of its first line."""
    lines = {name: str(value).strip().split("\n")[0] for name, value in arguments.items()}
    return ", ".join(f"{name}={line[:_SHOWN_CHARS]}" for name, line in lines.items()) or "nothing"


def _number(text: str) -> object:
    return int(text) if re.fullmatch(r"\s*-?\d{1,18}\s*", text) else text


def _boolean(text: str) -> object:
    return {"true": True, "false": False}.get(text.strip().lower(), text)


_NUMBERS: Mapping[str, Callable[[str], object]] = {"integer": _number, "boolean": _boolean}


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
