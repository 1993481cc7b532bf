"""The published accuracy of the default judge: `judges/accuracy.toml`, written by the benchmark.

Its labels are by language models, on public sessions; the file says so, and whoever shows a figure
of it does too. A test holds that it was measured with the judge and rubric that are shipped.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from judges.calibration.figures import rounded
from judges.calibration.measure import Measurement
from judges.verdict import JudgeIdentity, Polarity

_FILE = "accuracy.toml"
_HEAD = """\
# How well the shipped rules judge agrees with labels. Written by
#     python tests/benchmarks/judge.py --write
# whenever judge, weights or rubric change; figures are [value, low, high], 95 % bootstrap over
# sessions. A type with fewer than 20 positives has counts only: it is not measured.
"""
_Bounds = Annotated[tuple[float, ...], Field(max_length=3)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShippedFigures(_Strict):
    """One yes or no; figures are empty where they are not measured."""

    turns: int
    positives: int
    true_positives: int
    false_positives: int
    false_negatives: int
    precision: _Bounds = ()
    recall: _Bounds = ()
    f1: _Bounds = ()
    kappa: _Bounds = ()
    auroc: _Bounds = ()


class ShippedAccuracy(_Strict):
    """What was measured, of which judge, on what; types by name, `any` for the yes or no."""

    judge: str
    judge_version: str
    prompt_version: str
    model: str
    rubric_version: str
    labels: str
    """What the labels are and who made them."""
    severity_kappa: _Bounds
    severity_turns: int
    left_out_kappa: _Bounds
    """Kappa with each project cut at the point chosen on the other projects."""
    friction: Mapping[str, ShippedFigures]
    delight: Mapping[str, ShippedFigures]

    @model_validator(mode="after")
    def _has_the_whole(self) -> "ShippedAccuracy":
        if "any" not in self.friction or "any" not in self.delight:
            raise ValueError(f"{_FILE} lacks the figures of any friction or any delight")
        return self

    def figures(self, polarity: Polarity) -> Mapping[str, ShippedFigures]:
        """The figures of a polarity by type."""
        return self.friction if polarity == "friction" else self.delight

    def identity(self) -> JudgeIdentity:
        """The judge that was measured."""
        return JudgeIdentity(
            self.judge, self.judge_version, self.prompt_version, self.model, self.rubric_version
        )


@cache
def shipped_accuracy() -> ShippedAccuracy:
    """The figures shipped beside the judges."""
    source = resources.files("judges").joinpath(_FILE).read_text(encoding="utf-8")
    return ShippedAccuracy.model_validate(tomllib.loads(source))


def write_accuracy(
    folder: Path, identity: JudgeIdentity, labels: str, measured: Measurement
) -> Path:
    """Write `accuracy.toml` into the folder of the judges and return its path."""
    left_out = measured.left_out.agreement.kappa if measured.left_out else ()
    head: dict[str, Any] = {
        "judge": identity.judge,
        "judge_version": identity.judge_version,
        "prompt_version": identity.prompt_version,
        "model": identity.model,
        "rubric_version": identity.rubric_version,
        "labels": labels,
        "severity_kappa": rounded(measured.severity),
        "severity_turns": measured.severity_turns,
        "left_out_kappa": rounded(left_out),
    }
    sections = [
        _section(f"{polarity}.{name}", row.as_row())
        for polarity, whole in measured.overall.items()
        for name, row in {"any": whole, **measured.types[polarity]}.items()
    ]
    path = folder / _FILE
    path.write_text(_HEAD + _lines(head) + "".join(sections), encoding="utf-8")
    return path


def _section(name: str, row: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in row.items() if key in ShippedFigures.model_fields}
    return f"\n[{name}]\n{_lines(kept)}"


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(value: str | int | list[float]) -> str:
    # Quotes and brackets of Python's own notation are TOML's; texts hold no quotes.
    return f'"{value}"' if isinstance(value, str) else repr(value)
