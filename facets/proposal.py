"""What evolution proposes: one change of the schema, with the evidence for it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ProposalKind = Literal["new_type", "new_value", "retire"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of the schema that awaits a person's decision; the warehouse's row of it."""

    proposal_id: str
    kind: ProposalKind
    target: str
    """`friction` or `delight` for a moment type, else the facet's name."""
    name: str
    definition: str
    support: int = 0
    """Items in the core of the cluster."""
    sessions: int = 0
    users: int = 0
    """Distinct users; all unknown ones count as one."""
    stability: float | None = None
    """Mean Jaccard similarity of the cluster over resamples, in [0, 1]; None: not measured."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """`terms`, `examples` (abstracts, the most central first) and `unmapped_share`."""


def proposal_id(kind: ProposalKind, target: str, terms: Sequence[str]) -> str:
    """The same finding has the same id from run to run, whatever its figures."""
    told = "|".join([kind, target, *sorted(terms)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
