"""Label rows: what a person, or two annotators, say of a turn.

    {"path", "source_ref", "friction": 0..3, "friction_types", "delight": 0|1, "delight_types"}
    {"path", "source_ref", "A": {"friction", ...}, "B": {"friction", ...}}

What else a row carries is ignored, but for `project` and what `signals review` adds: `drawn` (how
the turn was chosen) and `drawn_from` (how many turns of each kind there were to choose from).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from agent_core.errors import BadInputError
from judges.rubric import Rubric
from judges.verdict import Polarity

Drawn = Literal["moment", "borderline", "random"]
_ROW_FIELDS = ("friction", "friction_types", "delight", "delight_types")
_REMEDY = (
    'a row is {"path", "source_ref", "friction": 0 to 3, "friction_types", "delight": 0 or 1, '
    '"delight_types"}, or has these of two annotators under "A" and "B"'
)


@dataclass(frozen=True, slots=True)
class Label:
    """What one turn was labelled; None: two annotators disagree."""

    path: str
    source_ref: str
    project: str | None
    friction: bool | None
    delight: bool | None
    severities: tuple[int, ...]
    """0 to 3, by annotator."""
    types: Mapping[Polarity, Mapping[str, bool | None]]
    """For each type of the rubric."""
    drawn: Drawn | None = None
    drawn_from: Mapping[Drawn, int] | None = None

    def is_positive(self, polarity: Polarity) -> bool | None:
        """Whether the turn is friction, or delight."""
        return self.friction if polarity == "friction" else self.delight


class LabelRows(NamedTuple):
    """The labels of a file, one a turn, and how many rows a later row of the turn replaced."""

    labels: tuple[Label, ...]
    replaced: int


def read_labels(lines: Iterable[str], rubric: Rubric, *, name: str = "labels") -> LabelRows:
    """The labels of JSON lines; of rows for one turn the last one counts.

    Raises BadInputError naming `name`, the line and the remedy.
    """
    found = [
        _label(line, rubric, f"{name} line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    latest = {(label.path, label.source_ref): label for label in found}
    return LabelRows(tuple(latest.values()), len(found) - len(latest))


class _Annotation(BaseModel):
    friction: Annotated[int, Field(ge=0, le=3, strict=True)]
    friction_types: tuple[str, ...] = ()
    delight: Annotated[int, Field(ge=0, le=1)]
    delight_types: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _types_need_a_yes(self) -> Self:
        for polarity in ("friction", "delight"):
            if getattr(self, f"{polarity}_types") and not getattr(self, polarity):
                raise ValueError(f"{polarity} is 0, yet {polarity}_types names some")
        return self


class _Row(BaseModel):
    path: Annotated[str, Field(min_length=1)]
    source_ref: Annotated[str, Field(min_length=1)]
    annotations: Annotated[tuple[_Annotation, ...], Field(min_length=1)]
    project: str | None = None
    drawn: Drawn | None = None
    drawn_from: Mapping[Drawn, Annotated[int, Field(ge=0)]] | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather_annotations(cls, row: Any) -> Any:
        if not isinstance(row, dict):
            raise ValueError("the line is no JSON object")
        two = [row[name] for name in ("A", "B") if name in row]
        one = {name: row[name] for name in _ROW_FIELDS if name in row}
        if len(two) == 1 or (two and one):
            raise ValueError('labels stand in the row itself, or under both "A" and "B"')
        return {**row, "annotations": two or [one]}

    @model_validator(mode="after")
    def _check_drawing(self) -> Self:
        if self.drawn and not (self.drawn_from or {}).get(self.drawn):
            raise ValueError("drawn needs drawn_from, with how many turns of that kind there were")
        return self


def _label(line: str, rubric: Rubric, place: str) -> Label:
    try:
        row = _Row.model_validate(json.loads(line))
        types = {p: _types(row.annotations, p, rubric) for p in _POLARITIES}
    except ValueError as error:
        raise BadInputError(f"{place}: {_reason(error)}; {_REMEDY}") from error
    return Label(
        path=row.path,
        source_ref=row.source_ref,
        project=row.project,
        friction=_agreed([a.friction > 0 for a in row.annotations]),
        delight=_agreed([a.delight > 0 for a in row.annotations]),
        severities=tuple(a.friction for a in row.annotations),
        types=types,
        drawn=row.drawn,
        drawn_from=row.drawn_from,
    )


_POLARITIES: tuple[Polarity, ...] = ("friction", "delight")


def _types(
    annotations: Sequence[_Annotation], polarity: Polarity, rubric: Rubric
) -> Mapping[str, bool | None]:
    said = [set(getattr(annotation, f"{polarity}_types")) for annotation in annotations]
    names = rubric.names(polarity)
    if unknown := sorted(set().union(*said) - set(names)):
        raise ValueError(f"{unknown[0]!r} is no {polarity} type: they are {', '.join(names)}")
    return {name: _agreed([name in types for types in said]) for name in names}


def _agreed(answers: Sequence[bool]) -> bool | None:
    return answers[0] if len(set(answers)) == 1 else None


def _reason(error: ValueError) -> str:
    """The first thing wrong, without the row's own text beyond field names."""
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON at character {error.pos + 1}"
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part != "annotations")
    said = first["msg"].removeprefix("Value error, ")
    return f"{place}: {said}" if place else said
