"""The weights of friction come from the prior and the labels, by the script that is shipped."""

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from judges.rules.fitting import LabelledEvidence, fit
from judges.rules.scoring import Scale, shipped_weights
from tests.judges.scripts import script_at

PRIOR = Scale(operating_point=0.5, bias=-1.0, weights={"stops": 2.0, "thanks": -1.0, "rare": 1.0})


def turns(rows: list[tuple[dict[str, float], bool, int]]) -> LabelledEvidence:
    """`count` turns of each row, in two projects in turn."""
    each = [(evidence, felt) for evidence, felt, count in rows for _ in range(count)]
    return LabelledEvidence(
        [evidence for evidence, _ in each],
        np.array([felt for _, felt in each]),
        np.array(["a" if n % 2 else "b" for n in range(len(each))]),
    )


def test_labels_that_agree_with_the_prior_keep_its_proportions() -> None:
    labelled = turns([({"stops": 1.0}, True, 60), ({"thanks": 1.0}, False, 60), ({}, False, 80)])
    fitted = fit(labelled, PRIOR)
    assert fitted.weights["stops"] > 2.0
    assert fitted.weights["thanks"] < 0.0
    assert fitted.weights["rare"] == pytest.approx(fitted.weights["stops"] / 2, rel=0.3)


def test_labels_that_insist_turn_a_weight_around() -> None:
    labelled = turns([({"thanks": 1.0}, True, 400), ({"stops": 1.0}, True, 50), ({}, False, 400)])
    fitted = fit(labelled, PRIOR)
    assert fitted.weights["thanks"] > 0.0
    assert fitted.score({"thanks": 1.0}) > fitted.score({})


def test_a_project_is_left_out_whole() -> None:
    labelled = turns([({"stops": 1.0}, True, 3), ({}, False, 3)])
    kept = labelled.without("a")
    assert (len(kept.evidence), kept.friction.tolist(), set(kept.projects)) == (
        3, [True, True, False], {"b"},
    )  # fmt: skip


def test_written_weights_have_a_new_version_where_a_number_changed(
    repository: Path, tmp_path: Path
) -> None:
    script = script_at(repository / "data" / "fit_rules_judge.py")
    path = Path(shutil.copy(script.WEIGHTS, tmp_path / "weights.toml"))
    shipped = shipped_weights()
    script.write(shipped.friction, path)
    assert path.read_text() == script.WEIGHTS.read_text()
    fewer = dict(list(shipped.friction.weights.items())[1:]) | {"denies": 0.5}
    script.write(replace(shipped.friction, weights=fewer), path)
    written = tomllib.loads(path.read_text())
    assert int(written["version"]) == int(shipped.version) + 1
    assert written["friction"]["weights"] == fewer
    assert path.read_text().count("#") > 10


@pytest.mark.slow
def test_the_shipped_weights_are_those_that_the_script_fits(
    repository: Path, shared_dir: Path
) -> None:
    script = script_at(repository / "data" / "fit_rules_judge.py")
    fitted = fit(script.read_labelled(shared_dir), script.read_prior())
    assert shipped_weights().friction == fitted
