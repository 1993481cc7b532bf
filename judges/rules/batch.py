"""Many sessions judged by rules at once: the turns of all of them are embedded together."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent_core.session import Session
from judges.publication import Sealed, sealed
from judges.rules.judge import RulesJudge
from judges.rules.restatement import embeddable
from judges.rules.view import segment_views

if TYPE_CHECKING:
    import numpy as np

VECTORS_KEPT = 20_000
"""Vectors in memory between batches: 30 MB of the packaged model."""
# Frequent in English; in each language next to it only a few of them are words.
_ENGLISH = re.compile(
    r"after|again|and|are|because|been|before|can|can't|could|does|doesn't|don't|from|"
    r"have|how|i'd|i'll|i'm|if|into|is|isn't|it|it's|its|must|need|not|of|on|only|"
    r"please|should|still|that|the|then|there|these|this|want|what|when|where|which|"
    r"why|with|without|would|you|your"
)
_ENGLISH_SHARE = 0.15
_ENGLISH_WORDS = 2
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


class SentenceModel(Protocol):
    """What turns are embedded with, such as `agent_core.embedding.Embedder`."""

    @property
    def model_id(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> "np.ndarray": ...


class TurnVectors:
    """Vectors of turns, computed for many sessions at once and kept by the hash of their text.

    They live in memory only: a text can be guessed from its vector, so they are as private as the
    text. `reads` says whether the model knows a text's language.
    """

    def __init__(
        self,
        model: SentenceModel,
        *,
        reads: Callable[[str], bool] | None = None,
        kept: int = VECTORS_KEPT,
    ) -> None:
        self._model = model
        self._reads = reads or is_english
        self._kept = kept
        self._known: dict[bytes, np.ndarray] = {}

    @property
    def model_id(self) -> str:
        return self._model.model_id

    def prepare(self, sessions: Iterable[Session]) -> None:
        """Embed what the judge will ask of `sessions`. Raises ModelError where there is no model.

        What is older goes where more than `kept` are known; one batch is held however large.
        """
        if len(self._known) > self._kept:
            self._known.clear()
        self._embed([text for session in sessions for text in texts_of(session)])

    def __call__(self, texts: Sequence[str]) -> "np.ndarray":
        """Unit rows; of NaN where the model does not know the text's language."""
        import numpy as np

        self._embed(texts)
        rows = [self._known.get(_digest(text)) for text in texts]
        width = next((row.size for row in rows if row is not None), 1)
        unread = np.full(width, np.nan, dtype=np.float32)
        return np.stack([unread if row is None else row for row in rows])

    def _embed(self, texts: Iterable[str]) -> None:
        new = {
            digest: text
            for text in texts
            if (digest := _digest(text)) not in self._known and self._reads(text)
        }
        if new:
            vectors = self._model.embed(list(new.values()))
            self._known.update(zip(new, vectors, strict=True))


@dataclass(frozen=True, slots=True)
class RulesSetup:
    """How a rules judge is made, in this process or in another."""

    salt: bytes
    target_tools: frozenset[str] = frozenset()
    embeddings: bool = False
    model_dir: Path | None = None
    """None: the packaged model."""

    def build(self, *, threads: int | None = None) -> "BatchJudge":
        """The judge; `threads` are those of the model that it embeds with, None: all."""
        if not self.embeddings:
            return BatchJudge(RulesJudge(self.salt, target_tools=self.target_tools), self)
        from agent_core.embedding import Embedder

        # Another model than the packaged one is somebody's choice, for their languages.
        reads = is_english if self.model_dir is None else _reads_all
        vectors = TurnVectors(Embedder(self.model_dir, threads=threads), reads=reads)
        judge = RulesJudge(
            self.salt,
            embed=vectors,
            embedding_model=vectors.model_id,
            target_tools=self.target_tools,
        )
        return BatchJudge(judge, self, vectors)


@dataclass(frozen=True, slots=True)
class BatchJudge:
    """A rules judge of many sessions at a time."""

    judge: RulesJudge
    setup: RulesSetup
    vectors: TurnVectors | None = None

    def __call__(self, sessions: Sequence[Session]) -> list[Sealed]:
        """A judgement of each session, in their order. Raises ModelError without a model."""
        if self.vectors is not None:
            self.vectors.prepare(sessions)
        tools = self.setup.target_tools
        return [sealed(self.judge(session), session, target_tools=tools) for session in sessions]


def texts_of(session: Session) -> list[str]:
    """The texts of a session that restatement is looked for in; none where only one could matter.

    A session that cannot be read so has none: the judge meets the same failure, and says it.
    """
    try:
        turns = [view.closing for view in segment_views(session) if view.closing is not None]
        texts = embeddable(turns)
    except Exception:  # noqa: BLE001 - the edge of one session, see above
        return []
    return texts if len(texts) > 1 else []


def is_english(text: str) -> bool:
    """Whether enough of the words are the ones that English sentences are held together by."""
    words = _WORD.findall(text.lower())
    known = sum(_ENGLISH.fullmatch(word) is not None for word in words)
    return known >= max(_ENGLISH_WORDS, _ENGLISH_SHARE * len(words))


def _reads_all(_text: str) -> bool:
    return True


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
