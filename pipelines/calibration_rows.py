"""Calibrations as rows: what is kept of a measurement, and the table `calibrations`."""

import hashlib
from dataclasses import astuple
from datetime import datetime
from typing import Any

import duckdb
import orjson
import polars as pl

from judges.calibration import Measurement, rounded
from judges.calibration.measure import POLARITIES
from judges.verdict import JudgeIdentity, Polarity
from pipelines.rates import ANY
from pipelines.warehouse import replace_rows


def as_row_set(measured: Measurement) -> dict[str, Any]:
    """A measurement in JSON's own types."""
    left_out = measured.left_out
    return {
        "turns": measured.turns,
        "sessions": measured.sessions,
        "projects": measured.projects,
        **{polarity: _polarity(measured, polarity) for polarity in POLARITIES},
        "baselines": {name: row.as_row() for name, row in measured.baselines.items()},
        "severity_weighted_kappa": rounded(measured.severity),
        "severity_turns": measured.severity_turns,
        "severity_by_annotator": rounded(measured.severity_by_annotator),
        "operating_point": left_out
        and {
            "left_out": left_out.by,
            "points": {name: round(point, 3) for name, point in left_out.points.items()},
            **left_out.agreement.as_row(),
        },
    }


def store_calibration(
    connection: duckdb.DuckDBPyConnection,
    identity: JudgeIdentity,
    measured: Measurement,
    labels: str,
    now: datetime,
) -> None:
    """Keep a row for each polarity and type; `labels` is the hash of the label file.

    The same labels and judge again take the place of what was kept before.
    """
    name = hashlib.sha256("\0".join((labels, *astuple(identity))).encode()).hexdigest()[:16]
    head = {
        "calibration_id": name,
        "measured_at": now,
        "labels": labels,
        "judge": identity.judge,
        "judge_version": identity.judge_version,
        "prompt_version": identity.prompt_version,
        "model": identity.model,
        "rubric_version": identity.rubric_version,
    }
    whole = as_row_set(measured)
    rows = [
        {**head, "polarity": polarity, "type": type_, "figures": orjson.dumps(figures).decode()}
        for polarity in POLARITIES
        for type_, figures in _by_type(whole, polarity).items()
    ]
    replace_rows(connection, "calibrations", pl.DataFrame(rows))


def _polarity(measured: Measurement, polarity: Polarity) -> dict[str, Any]:
    types = measured.types[polarity]
    return {
        ANY: measured.overall[polarity].as_row(),
        "types": {name: row.as_row() for name, row in types.items()},
        "confusion": measured.confusion[polarity],
    }


def _by_type(whole: dict[str, Any], polarity: Polarity) -> dict[str, dict[str, Any]]:
    """Figures by type; those of the polarity as a whole carry what is measured only once."""
    shared = {"sessions": whole["sessions"], "confusion": whole[polarity]["confusion"]}
    if polarity == "friction":
        shared |= {
            name: whole[name]
            for name in (
                "baselines",
                "severity_weighted_kappa",
                "severity_turns",
                "operating_point",
            )
        }
    return {ANY: whole[polarity][ANY] | shared, **whole[polarity]["types"]}
