"""How well a judge agrees with labels: rows in, figures with intervals out; pure."""

from judges.calibration.baselines import BASELINES, baselines_of
from judges.calibration.figures import MIN_POSITIVES, Agreement, Estimate, agreement, rounded
from judges.calibration.labels import Drawn, Label, LabelRows, read_labels
from judges.calibration.left_out import LeftOut, left_out
from judges.calibration.measure import Measurement, measure, overall
from judges.calibration.turns import (
    LabelledTurn,
    Verdict,
    drawing_weights,
    kinds_never_drawn,
    verdict_of,
)

__all__ = [
    "BASELINES",
    "MIN_POSITIVES",
    "Agreement",
    "Drawn",
    "Estimate",
    "Label",
    "LabelRows",
    "LabelledTurn",
    "LeftOut",
    "Measurement",
    "Verdict",
    "agreement",
    "baselines_of",
    "drawing_weights",
    "kinds_never_drawn",
    "left_out",
    "measure",
    "overall",
    "read_labels",
    "rounded",
    "verdict_of",
]
