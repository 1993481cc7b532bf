"""How the weights of friction are fitted to labelled turns.

Logistic regression (scikit-learn) on the log odds of a prior and on each piece of evidence, with
strong regularisation: the prior's weights are scaled as a whole at little cost, and moved one by
one only where the labels insist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from judges.rules.scoring import Scale

STRENGTH = 0.03
"""Inverse of the regularisation: the smaller, the closer to the prior's proportions."""
PRIOR_FACTOR = 5.0
"""Factor on the prior's column, which so costs 25 times less to use than a single weight."""


@dataclass(frozen=True, slots=True)
class LabelledEvidence:
    """Turns with labels: evidence by name (one mapping a turn), yes or no, and the project."""

    evidence: Sequence[Mapping[str, float]]
    friction: NDArray[np.bool_]
    projects: NDArray[np.str_]

    def without(self, project: str) -> "LabelledEvidence":
        """The turns of all other projects."""
        kept = self.projects != project
        rows = [row for row, keep in zip(self.evidence, kept, strict=True) if keep]
        return LabelledEvidence(rows, self.friction[kept], self.projects[kept])


def fit(labelled: LabelledEvidence, prior: Scale) -> Scale:
    """The prior moved by the labels; weights in log odds, rounded to two digits."""
    names = list(prior.weights)
    columns = np.array([[row.get(name, 0.0) for name in names] for row in labelled.evidence])
    odds = prior.bias + columns @ np.array([prior.weights[name] for name in names])
    design = np.column_stack([PRIOR_FACTOR * odds, columns])
    model = LogisticRegression(C=STRENGTH, max_iter=5_000).fit(design, labelled.friction)
    scale = float(PRIOR_FACTOR * model.coef_[0, 0])
    moved = zip(names, model.coef_[0, 1:], strict=True)
    return Scale(
        operating_point=prior.operating_point,
        bias=round(float(model.intercept_[0]) + scale * prior.bias, 2),
        weights={name: round(scale * prior.weights[name] + float(by), 2) for name, by in moved},
    )
