"""The words that a group of abstracts has for itself, beyond what the known values say.

What a group is proposed for must be sayable. Abstracts that merely say less than others (nothing
of what the person did, say) lie apart from all known values, yet hold no word of their own.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer

from facets.mapping import UNMAPPED, Values

_WORD = r"(?u)[^\W\d_]+"
_MIN_SESSIONS = 2
"""A word of a single session is its own affair."""
_ERRORS = 2.0
"""Standard errors by which a word must be commoner than in the known value that has it most."""
_MIN_VARIANCE = 1e-4
_MIN_MEMBERS = 20
"""Of a value whose words are counted."""


class Words(NamedTuple):
    """Which words each item has, and how common each is in the known value that has it most."""

    held: csr_array
    """Shape (items, words), 0 or 1."""
    known: NDArray[np.float64]
    names: tuple[str, ...]
    owner: NDArray[np.intp]
    """The session of each item, numbered."""

    @classmethod
    def of(cls, texts: Sequence[str], values: Values, sessions: Sequence[str]) -> Self:
        """Words of abstracts; letters only, so that no number or sign tells a group."""
        owner = np.unique(np.asarray(sessions, dtype=str), return_inverse=True)[1]
        counter = CountVectorizer(token_pattern=_WORD, binary=True, dtype=np.float64)
        try:
            held = csr_array(counter.fit_transform(texts))
        except ValueError:  # no word in any of the texts
            return cls(csr_array((len(texts), 0)), np.empty(0), (), owner)
        known = np.zeros(held.shape[1])
        for name in np.unique(values[values != UNMAPPED]):
            rows = np.flatnonzero(values == name)
            if len(rows) >= _MIN_MEMBERS:
                known = np.maximum(known, held[rows].mean(axis=0))
        return cls(held, known, tuple(counter.get_feature_names_out()), owner)

    def own(self, members: NDArray[np.intp]) -> NDArray[np.float64]:
        """For each word by how much more of the members have it than the known values explain."""
        rows = self.held[members]
        share = np.asarray(rows.mean(axis=0)).ravel()
        variance = np.maximum(self.known * (1 - self.known), _MIN_VARIANCE) / len(members)
        excess = share - self.known - _ERRORS * np.sqrt(variance)
        columns = np.flatnonzero(excess > 0)
        found = np.zeros(len(share))
        for column in columns:
            having = members[rows[:, [column]].toarray().ravel() > 0]
            if len(np.unique(self.owner[having])) >= _MIN_SESSIONS:
                found[column] = excess[column]
        return found

    def sessions(self, members: NDArray[np.intp]) -> int:
        """Distinct sessions of the members."""
        return len(np.unique(self.owner[members]))

    def leading(self, own: NDArray[np.float64], count: int) -> tuple[str, ...]:
        """The weightiest of a group's own words; of equal ones by alphabet."""
        order = np.lexsort((np.array(self.names), -own.round(9)))
        return tuple(self.names[column] for column in order[:count] if own[column] > 0)
