"""What evolution proposes: one change of the schema, with the evidence for it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from facets.prototype import Prototype

ProposalKind = Literal[
    "new_type", "new_value", "new_facet", "split", "merge", "retire", "capability_gap"
]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of the schema that awaits a person's decision; the warehouse's row of it."""

    proposal_id: str
    kind: ProposalKind
    target: str
    """`friction` or `delight` for a moment type, else the facet's name."""
    name: str
    """Of what is new (of a merge: what the parts become), or of what is retired."""
    definition: str
    parts: tuple[str, ...] = ()
    """Of a split the one value that it is taken from, of a merge the values that it takes in."""
    prototype: Prototype | None = None
    """Where its items lie; None where no distance tells them."""
    facet: Mapping[str, Any] | None = None
    """Of a new facet its document (`facets.schema.Facet`)."""
    cluster_id: str | None = None
    support: int = 0
    """Items in the core of the cluster."""
    sessions: int = 0
    users: int = 0
    """Distinct users; all unknown ones count as one."""
    stability: float | None = None
    """Mean Jaccard similarity of the cluster over resamples, in [0, 1]; None: not measured."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Figures by name, `terms` and `examples` (abstracts, the most central first)."""


def proposal_id(kind: ProposalKind, target: str, key: str) -> str:
    """The same finding has the same id from run to run, whatever its figures.

    `key` is what makes it the same: the cluster's id, the measure, or the values concerned.
    """
    return hashlib.sha256(f"{kind}|{target}|{key}".encode()).hexdigest()[:16]
