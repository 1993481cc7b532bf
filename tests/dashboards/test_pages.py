"""The pages as Streamlit runs them, over snapshots published from real warehouses."""

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboards.conftest import Published

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
OF_ANOTHER_VERSION = (
    "kappa 0.42 [0.22, 0.59] on 614 labelled turns; of another version: rules 0.9, rubric 1"
)
PAGES = ["overview", "session", "tasks"]

pytestmark = pytest.mark.usefixtures("fresh_streamlit")


def _open(
    monkeypatch: pytest.MonkeyPatch, folder: Path, page: str = "overview", **query: str
) -> AppTest:
    monkeypatch.setenv("SIGNALS_SNAPSHOTS", str(folder))
    app = AppTest.from_file(APP, default_timeout=30)
    if page != "overview":
        app.run()
        app.switch_page(f"app_pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert [element.value for element in app.exception] == []
    return app


def _captions(app: AppTest) -> list[str]:
    return [caption.value.replace("\\", "") for caption in app.caption]


def _metrics(app: AppTest) -> list[tuple[str, str]]:
    return [(metric.label, metric.value) for metric in app.metric]


def test_a_chart_over_two_versions_of_the_schema_says_so(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.owner)
    told = [caption for caption in _captions(app) if caption.startswith("Dashed")]
    assert told == ["Dashed: the definition changed in version 2: goal drift added."]


def test_overview_names_judge_rates_and_coverage(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.owner)
    assert app.caption[0].value.replace("\\", "") == (
        "Judged by rules 1. Published 2 March 2026, 12:00 UTC, run run-1."
    )
    assert _metrics(app) == [
        ("Sessions with friction", "48 %"),
        ("Sessions with delight", "50 %"),
        ("Judged", "40"),
        ("Could not be judged", "1"),
    ]
    assert _captions(app)[1:7] == [
        "95 % interval 33 to 63 %, 19 of 40 judged sessions",
        "Judge: kappa 0.67 [0.60, 0.73] on 609 labelled turns",
        "95 % interval 35 to 65 %, 20 of 40 judged sessions",
        "Judge: not measured: 17 labelled turns with it, 20 needed",
        "of 42 sessions seen, 1 left out",
        "0 pending, 0 not judged yet",
    ]
    types, sessions, files, quality = (frame.value.to_numpy().tolist() for frame in app.dataframe)
    assert types == [
        ["delight", "praise", "not measured: 5 labelled turns with it, 20 needed"],
        ["friction", "error event", "not measured: 9 labelled turns with it, 20 needed"],
        ["delight", "first attempt success", "not measured: 1 labelled turn with it, 20 needed"],
        ["friction", "correction", "kappa 0.54 [0.45, 0.64] on 605 labelled turns"],
        ["friction", "repeated rephrasing", OF_ANOTHER_VERSION],
    ]
    assert "Measured against labels of your own." in _captions(app)
    assert len(quality) > 5
    assert sessions == [
        ["judged", "", 40],
        ["left out", "no turn of a person", 1],
        ["could not be judged", "the log is cut off", 1],
    ]
    assert files == [["read", "atif", 42], ["unknown", "not a known format", 1]]


def test_overview_offers_each_type_once_and_shows_the_one_in_the_address(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.owner, type="error event")
    (picker,) = app.selectbox
    assert picker.options == [
        "any type",
        "error event",
        "correction",
        "repeated rephrasing",
        "praise",
        "first attempt success",
    ]
    assert picker.value == "error_event"
    assert [text.value for text in app.markdown if "Sessions with" in text.value] == [
        "Sessions with friction"
    ]


def test_session_starts_at_the_one_with_most_friction(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.owner, "session")
    assert app.selectbox[0].value == "atif:session-25"
    assert app.markdown[0].value.replace("\\", "") == (
        "The user had the agent fix a failing test; it passed in the end."
    )
    assert _metrics(app) == [
        ("Steps", "10"),
        ("Turns of the person", "3"),
        ("Tool calls, failed", "4, 1"),
        ("Friction score", "60 %"),
        ("Delight score", "30 %"),
    ]
    moments = app.dataframe[0].value[["position", "type", "severity", "source_ref"]]
    assert moments.to_numpy().tolist() == [
        [5, "error_event", "high", "#/steps/5"],
        [6, "correction", "medium", "#/steps/6"],
        [6, "repeated_rephrasing", "low", "#/steps/6"],
    ]


def test_every_figure_of_the_judge_on_the_session_page_has_its_accuracy(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.owner, "session")
    friction, delight = (
        "kappa 0.67 [0.60, 0.73] on 609 labelled turns",
        "not measured: 17 labelled turns with it, 20 needed",
    )
    assert [said for said in _captions(app) if said.startswith(("Judge:", "Judge of"))] == [
        f"Judge: {friction}",
        f"Judge: {delight}",
        f"Judge of friction: {friction}",
        "Judge of friction, severity: weighted kappa 0.60 [0.53, 0.66] on 620 labelled turns",
        f"Judge of delight: {delight}",
    ]
    assert app.dataframe[0].value[["type", "agreement with labels"]].to_numpy().tolist() == [
        ["error_event", "not measured: 9 labelled turns with it, 20 needed"],
        ["correction", "kappa 0.54 [0.45, 0.64] on 605 labelled turns"],
        ["repeated_rephrasing", OF_ANOTHER_VERSION],
    ]


def test_a_team_sees_the_accuracy_too(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    captions = _captions(_open(monkeypatch, published.team))
    assert "Judge: kappa 0.67 [0.60, 0.73] on 609 labelled turns" in captions


def test_session_in_the_address_is_shown_whatever_the_filters(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.owner, "session", session="atif:session-04", search="ben")
    assert app.selectbox[0].value == "atif:session-04"
    app.run()
    assert app.selectbox[0].value == "atif:session-04"
    assert "No moment of friction or delight was found in this session." in [
        caption.value for caption in app.caption
    ]


def test_session_search_without_a_hit_says_so(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.owner, "session")
    app.text_input[0].set_value("ann").run()
    assert app.selectbox[0].value == "atif:session-39"
    app.text_input[0].set_value("nowhere").run()
    assert [info.value for info in app.info] == ["No judged session matches."]


def test_session_page_of_a_team_explains_its_absence(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.team, "session")
    assert [info.value for info in app.info] == [
        "This snapshot is a team's: single sessions are not published."
    ]
    assert len(app.dataframe) == 0


def test_tasks_show_evidence_diff_gates_and_history(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.owner, "tasks")
    assert app.selectbox[0].options == ["task-19c2e0aa", "task-0b7d1f03"]
    texts = [markdown.value.replace("\\", "") for markdown in app.markdown]
    assert "- 9 of 17 sessions of release 0.2.0+b7e1 show it." in "\n".join(texts).splitlines()
    assert "The error of edit_file does not say what to do next." in texts
    assert '+no_match = "The text does not occur in {path}.' in app.code[0].value
    breaches, gates, transitions = (frame.value for frame in app.dataframe)
    assert breaches[["affected", "sessions", "rate", "q_value"]].to_numpy().tolist() == [
        [9, 17, 0.529, 0.0004]
    ]
    assert gates[["gate", "status"]].to_numpy().tolist() == [
        ["scope", "✓ passed"],
        ["style", "✓ passed"],
        ["tests", "✓ passed"],
        ["replay", "✓ passed"],
        ["scenarios", "? unscored"],
    ]
    assert transitions["to_state"].to_list() == [
        "open",
        "planned",
        "patching",
        "verifying",
        "proposed",
    ]


def test_a_card_opens_its_task(monkeypatch: pytest.MonkeyPatch, published: Published) -> None:
    app = _open(monkeypatch, published.owner, "tasks")
    next(button for button in app.button if button.key == "open-task-0b7d1f03").click().run()
    assert app.selectbox[0].value == "task-0b7d1f03"
    assert app.subheader[0].value.replace("\\", "") == "Ask before choosing another approach"
    assert app.caption[-1].value.replace("\\", "") == (
        "Not attempted yet: signals tasks run task-0b7d1f03"
    )


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("overview", "No session is judged yet: run `signals judge`, then `signals run`."),
        ("session", "No judged session matches."),
        (
            "tasks",
            "No task yet: one is opened when a pattern of friction rises beyond its baseline.",
        ),
    ],
)
def test_an_empty_warehouse_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, published: Published, page: str, message: str
) -> None:
    app = _open(monkeypatch, published.empty, page)
    assert [info.value for info in app.info] == [message]


@pytest.mark.parametrize("page", PAGES)
def test_before_the_first_run_every_page_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    app = _open(monkeypatch, tmp_path, page)
    assert [info.value for info in app.info] == [
        "No snapshot yet: run `signals run`, then reload this page."
    ]


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_snapshot_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    (tmp_path / "current").write_text("{", encoding="utf-8")
    app = _open(monkeypatch, tmp_path, page)
    (error,) = app.error
    assert "is damaged: run `signals run` to publish it again" in error.value.replace("\\", "")
    assert "\n" not in error.value


@pytest.mark.parametrize(
    ("page", "file"),
    [
        *((page, file) for page in PAGES for file in ("schema.json", "judges.parquet")),
        *(("overview", f"{name}.parquet") for name in ("rates_overall", "rates_daily", "coverage")),
        *(("session", f"{name}.parquet") for name in ("sessions", "moments", "timeline")),
        *(("tasks", f"{name}.parquet") for name in ("tasks", "task_attempts", "gate_results")),
    ],
)
@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_a_damaged_file_of_a_snapshot_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    published: Published,
    tmp_path: Path,
    page: str,
    file: str,
    damage: str,
) -> None:
    shutil.copytree(published.owner, tmp_path / "snapshots")
    damaged = tmp_path / "snapshots" / "run-1" / file
    if damage == "cut":
        damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    else:
        damaged.unlink()
    app = _open(monkeypatch, tmp_path / "snapshots", page)
    (error,) = app.error
    assert "run `signals run`" in error.value.replace("\\", "")
    assert "\n" not in error.value


def test_tasks_of_a_team_show_no_reason_and_no_path(
    monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    app = _open(monkeypatch, published.team, "tasks")
    facts = [caption.value.replace("\\", "") for caption in app.caption]
    assert (
        "result: proposed; policy: playbook; sandbox: bubblewrap; "
        "branch: signals/task-19c2e0aa; pull request: not published"
    ) in facts
    _, gates, transitions = (frame.value for frame in app.dataframe)
    assert (set(gates["reason"]), set(transitions["reason"])) == ({""}, {""})


def test_a_page_follows_the_pointer_to_the_next_snapshot(
    monkeypatch: pytest.MonkeyPatch, published: Published, tmp_path: Path
) -> None:
    for name, folder in (("run-1", published.empty), ("run-2", published.owner)):
        (tmp_path / name).symlink_to(folder / "run-1", target_is_directory=True)
    pointer = tmp_path / "current"
    pointer.write_text(json.dumps({"directory": "run-1"}), encoding="utf-8")
    app = _open(monkeypatch, tmp_path)
    assert _metrics(app)[2] == ("Judged", "0")
    pointer.write_text(json.dumps({"directory": "run-2"}), encoding="utf-8")
    app.run()
    assert _metrics(app)[2] == ("Judged", "40")
