"""From what a judge said, and where an item lies, to what the schema calls it.

A schema says of every value what it takes in, and remembers the values that are no more. Carried
out in the order of the versions that is a pure function of the verdict and the vector: nothing is
judged again when a proposal is accepted, and going back to a version gives what it gave before.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent_core.errors import ConfigError
from facets.prototype import OUTSIDE, Prototype, assign
from facets.schema import OTHER, FacetSchema, Former, MomentType, Polarity, ValueOrigin

Vectors = NDArray[np.floating]


class _Move(NamedTuple):
    """Items called one of `takes` are called `to`: all, or those inside one of `prototypes`."""

    version: int
    takes: frozenset[str | None]
    to: str | None
    prototypes: tuple[Prototype, ...] = ()


def resolve_types(
    judged: Sequence[str],
    vectors: Vectors,
    schema: FacetSchema,
    polarity: Polarity,
    model_id: str,
) -> list[str]:
    """What `schema` calls moments that a judge called `judged`, in their order.

    `vectors` has a unit row for each, shape (n, d), from the embedding model `model_id`; a row of
    NaN is an item without a vector, which no distance moves, and d may be 0 where none has one.
    A judge's type that the schema never had is `other`. Raises ConfigError where a prototype of
    that model has another dimension.
    """
    told = _known_names(schema, polarity, judged)
    found = resolve(told, vectors, schema, polarity, model_id)
    known = frozenset(schema.known_values(polarity))
    return [name if name is not None and name in known else OTHER for name in found]


def resolve(
    names: Sequence[str | None], vectors: Vectors, schema: FacetSchema, target: str, model_id: str
) -> list[str | None]:
    """As `resolve_types` for any target; None, nothing said, is moved by distance alone."""
    codes, vocabulary = _coded(names)
    for rivals in _rounds(_moves(schema, target)):
        _carry_out(rivals, codes, vocabulary, vectors, model_id)
    called = list(vocabulary)
    return [called[code] for code in codes]


def moved_by_distance(judged: Sequence[str], schema: FacetSchema, target: str) -> NDArray[np.bool]:
    """Which of these names a vector has a say in under `schema`: of the others none is needed."""
    moved: set[str | None] = set()
    for move in reversed(_moves(schema, target)):
        if move.prototypes or move.to in moved:
            moved |= move.takes
    told = _known_names(schema, target, judged)
    return np.fromiter((name in moved for name in told), dtype=bool, count=len(judged))


def without_vector(vectors: Vectors) -> NDArray[np.bool]:
    """Which rows are of items that have no vector."""
    if not vectors.shape[1]:
        return np.ones(len(vectors), dtype=bool)
    return np.isnan(vectors[:, 0])


def foreign_prototypes(schema: FacetSchema, target: str, model_id: str) -> int:
    """Prototypes of another embedding model: nothing is inside them until it is used again."""
    parts = (*schema.origins(target), *schema.former(target))
    return sum(prototype.model != model_id for part in parts for prototype in part.prototypes)


def _known_names(schema: FacetSchema, target: str, judged: Sequence[str]) -> list[str]:
    """The judge's names; one that this schema never had is of no known type."""
    former = {past.name for past in schema.former(target)}
    taken = {name for part in schema.origins(target) for name in part.takes}
    known = former | taken | set(schema.known_values(target))
    return [name if name in known else OTHER for name in judged]


def _moves(schema: FacetSchema, target: str) -> list[_Move]:
    """In the order of the versions; what arrives in a version comes before what leaves in it."""
    former = schema.former(target)
    arrivals = [*map(_arrival, schema.origins(target)), *map(_arrival, former)]
    departures = [_Move(past.until, frozenset({past.name}), past.became) for past in former]
    moves = [move for move in (*arrivals, *departures) if move.takes != {move.to}]
    return sorted(moves, key=lambda move: move.version)


def _arrival(part: MomentType | ValueOrigin | Former) -> _Move:
    # Without a judge's value to take from, it takes what has none.
    takes = frozenset(part.takes or ([None] if part.prototypes else [part.name]))
    return _Move(part.since, takes, part.name, part.prototypes)


def _rounds(moves: Iterable[_Move]) -> list[list[_Move]]:
    """Moves that are decided together: by distance, from the same, with nothing in between."""
    rounds: list[list[_Move]] = []
    for move in moves:
        last = rounds[-1][-1] if rounds else None
        if last and last.prototypes and move.prototypes and last.takes == move.takes:
            rounds[-1].append(move)
        else:
            rounds.append([move])
    return rounds


def _coded(names: Sequence[str | None]) -> tuple[NDArray[np.int64], dict[str | None, int]]:
    """Names as numbers, and the number of each name."""
    vocabulary: dict[str | None, int] = {}
    codes = (vocabulary.setdefault(name, len(vocabulary)) for name in names)
    return np.fromiter(codes, dtype=np.int64, count=len(names)), vocabulary


def _carry_out(
    rivals: Sequence[_Move],
    codes: NDArray[np.int64],
    vocabulary: dict[str | None, int],
    vectors: Vectors,
    model_id: str,
) -> None:
    """One round, in place; of several prototypes that an item is inside of the nearest has it."""
    numbers = [vocabulary[name] for name in rivals[0].takes if name in vocabulary]
    rows = np.flatnonzero(np.isin(codes, numbers))
    if not len(rows):
        return
    for move in rivals:
        vocabulary.setdefault(move.to, len(vocabulary))
    if not rivals[0].prototypes:
        codes[rows] = vocabulary[rivals[0].to]
        return
    caps = [(cap, move.to) for move in rivals for cap in move.prototypes if cap.model == model_id]
    _check_dimension(caps, vectors)
    if vectors.shape[1]:
        found = assign(vectors[rows], [cap for cap, _ in caps])
        inside = found != OUTSIDE
        owners = np.array([vocabulary[owner] for _, owner in caps], dtype=np.int64)
        codes[rows[inside]] = owners[found[inside]]


def _check_dimension(caps: Sequence[tuple[Prototype, str | None]], vectors: Vectors) -> None:
    for cap, owner in caps:
        if vectors.shape[1] not in (0, len(cap.centroid)):
            raise ConfigError(
                f"facet schema: the prototype of {owner} has {len(cap.centroid)} dimensions, "
                f"vectors of {cap.model} have {vectors.shape[1]}"
            )
