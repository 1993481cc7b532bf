"""What descriptions of breaches and tasks mean: their vectors, kept; without a model, none."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from agent_core.embedding import Embedder
from agent_core.errors import ModelError
from agent_core.toolkit import load_tools
from pipelines import task_wording as wording
from pipelines.config import Config
from pipelines.context import Context
from pipelines.stages.embeddings import text_hashes, vector_rows
from pipelines.task_matching import Cause, Means, is_undecided
from pipelines.tasks import TaskRow
from pipelines.warehouse import replace_rows
from pipelines.warehouse.vectors import load_vectors

Vectors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Meanings:
    """Vectors of the texts that have to be compared, and what is needed to compare."""

    threshold: float
    tools: frozenset[str]
    """Of the target."""
    vectors: Vectors = field(default_factory=dict)
    is_learned: bool = False
    """Whether vectors were asked for: what has none now will not get one in this run."""
    missing: str | None = None
    """Why texts could not be embedded; None: they all were."""

    @property
    def means(self) -> Means:
        return Means(self._cosine, self.threshold, self.tools)

    def undecided(self, found: Cause, tasks: Iterable[Cause]) -> frozenset[str]:
        """Texts to compare before it is known whether one of the tasks covers the breach."""
        others = {task.text for task in tasks if is_undecided(found, task, self.tools)}
        return frozenset({found.text, *others} if others else ()) - {""}

    def _cosine(self, one: str, other: str) -> float | None:
        if one not in self.vectors or other not in self.vectors:
            return None
        return float(self.vectors[one] @ self.vectors[other])


def no_meanings(config: Config) -> Meanings:
    """What is known before any text was compared: importing the model takes seconds, and mostly
    patterns and sessions decide.
    """
    return Meanings(config.tasks.same_meaning, frozenset(load_tools()))


def cause_of_task(task: TaskRow) -> Cause:
    """What a task is compared by."""
    evidence = [str(line) for line in task.task.get("evidence", ())]
    of_class = task.error_class is not None
    return Cause(
        agent=task.agent,
        type=task.type,
        tool=task.tool,
        error_class=task.error_class,
        signatures=frozenset(task.task.get("error_signatures", ()) if of_class else ()),
        cluster_id=task.cluster_id,
        text=wording.meaning(task.tool, task.error_class, evidence),
    )


def learn_meanings(context: Context, texts: Iterable[str]) -> Meanings:
    """Vectors of these texts: those that are kept, and the others computed now, while the warehouse
    is closed, and kept. Without a model there are none, and `missing` says why.
    """
    meanings = replace(no_meanings(context.config), is_learned=True)
    embedder = Embedder(context.config.embedding.model_dir)
    wanted = sorted(texts)
    try:
        with context.warehouse() as connection:
            known = _kept(connection, wanted, embedder.model_id)
        others = [text for text in wanted if text not in known]
        rows = vector_rows(embedder, others) if others else pl.DataFrame()
    except ModelError as error:
        return replace(meanings, missing=str(error))
    if others:
        with context.warehouse() as connection:
            replace_rows(connection, "embeddings", rows)
        known |= {
            text: np.asarray(row, dtype=np.float32)
            for text, row in zip(others, rows["vector"], strict=True)
        }
    return replace(meanings, vectors=known)


def _kept(connection: duckdb.DuckDBPyConnection, texts: list[str], model_id: str) -> Vectors:
    rows = load_vectors(connection, text_hashes(texts), model_id)
    if not rows.shape[1]:
        return {}
    return {text: row for text, row in zip(texts, rows, strict=True) if not np.isnan(row).any()}
