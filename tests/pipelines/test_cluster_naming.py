"""Names of clusters over real HTTP: asked once, filtered, within the budget, never at any price."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from agent_core.embedding import Embedder
from facets.naming_check import ClusteredTexts
from facets.naming_terms import term_names
from pipelines.cluster_naming import ClusterLabel, name_found
from pipelines.config import Config, JudgeConfig
from pipelines.context import Context
from pipelines.stages.embeddings import text_hashes
from pipelines.warehouse import query, replace_rows
from tests.facets.words_space import embed_words
from tests.fake_openai import FakeOpenAI, When, failure, json_text, refusal, text

IDS = ("c-search", "c-thanks")
PLACES = ("early", "late", "midway", "at once", "in the end", "twice")
TEXTS = [f"{kind}, {place}" for kind in ("the search found nothing", "the person was pleased")
         for place in PLACES]  # fmt: skip
SEARCH = ("vain search", "The search found nothing.")
THANKS = ("pleased person", "The person was pleased.")
PRIVATE = ("vain search", "The search found nothing in src/heron.py.")
Table = list[tuple[Any, ...]]


def items() -> ClusteredTexts:
    return ClusteredTexts(TEXTS, embed_words(TEXTS), np.repeat([0, 1], len(PLACES)), 2)


def remember(context: Context, *said: tuple[str, str]) -> None:
    """Vectors of these names and of all terms, as if the embedding model had run before."""
    remember_labels(context, [*(": ".join(one) for one in said), *term_labels(items())])


def remember_labels(context: Context, labels: Sequence[str]) -> None:
    known = pl.DataFrame({"text_hash": text_hashes(labels), "vector": embed_words(labels)})
    known = known.with_columns(pl.col("vector").arr.to_list(), model=pl.lit(Embedder().model_id))
    with context.warehouse() as connection:
        replace_rows(connection, "embeddings", known.unique("text_hash"))


def term_labels(found: ClusteredTexts) -> list[str]:
    return [one.label for names, _ in term_names(found).values() for one in names]


def with_model(context: Context, endpoint: FakeOpenAI | str, **judge: Any) -> Context:
    url = endpoint if isinstance(endpoint, str) else endpoint.base_url
    section = {"judge": "llm", "consent": True, "model": "scripted", "max_retries": 0, **judge}
    return replace(context, config=Config(judge=JudgeConfig(base_url=url, **section)))


def about(word: str) -> Any:
    """Requests whose members are of that cluster."""

    def matches(asked: Mapping[str, Any]) -> bool:
        return word in json.loads(asked["messages"][1]["content"])["members"][0]

    return matches


def answer(name: str, definition: str) -> Any:
    return json_text({"name": name, "definition": definition})


def names(labels: Mapping[int, ClusterLabel]) -> list[tuple[str, str, str | None]]:
    return [(one.checked.name, one.checked.origin, one.note) for one in labels.values()]


def rows(context: Context, sql: str) -> Table:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


TERMS = [(found[0].name, "terms", None) for found, _ in term_names(items()).values()]


def noted(problem: str) -> list[tuple[str, str, str | None]]:
    return [(name, origin, problem) for name, origin, _ in TERMS]


def test_without_a_model_the_terms_name(context: Context) -> None:
    remember(context)
    assert names(name_found(context, items(), IDS)) == TERMS
    stored = rows(
        context,
        "SELECT cluster_id, name, origin, model, accuracy, chance, held_out, is_distinctive, note "
        "FROM cluster_names ORDER BY 1",
    )
    assert stored == [
        (cluster_id, name, "terms", None, 1.0, 0.5, 2, True, None)
        for cluster_id, (name, _, _) in zip(IDS, TERMS, strict=True)
    ]


def test_a_model_is_asked_once_for_each_cluster(context: Context) -> None:
    remember(context, SEARCH, THANKS)
    whens = [When(about("search"), [answer(*SEARCH)]), When(about("person"), [answer(*THANKS)])]
    with FakeOpenAI(whens=whens) as endpoint:
        ready = with_model(context, endpoint)
        found = name_found(ready, items(), IDS)
        again = name_found(replace(ready, run_id="run-2"), items(), IDS)
    assert names(found) == [("vain search", "model", None), ("pleased person", "model", None)]
    assert names(again) == names(found)
    assert endpoint.requests[0]["response_format"]["json_schema"]["name"] == "cluster_name"
    sent = json.dumps(endpoint.requests)
    held = [TEXTS[place] for cluster in (0, 1) for place in items().tested(cluster)]
    assert not [text for text in held if text in sent]
    assert rows(context, "SELECT DISTINCT origin, model, definition FROM cluster_names "
                         "ORDER BY definition DESC") == [
        ("model", "scripted", SEARCH[1]), ("model", "scripted", THANKS[1]),
    ]  # fmt: skip


@pytest.mark.slow
def test_paid_answers_are_used_again_where_the_name_was_lost(context: Context) -> None:
    remember(context, SEARCH, THANKS)
    whens = [When(about("search"), [answer(*SEARCH)]), When(about("person"), [answer(*THANKS)])]
    with FakeOpenAI(whens=whens) as endpoint:
        ready = with_model(context, endpoint)
        found = name_found(ready, items(), IDS)
        with ready.warehouse() as connection:
            connection.execute("DELETE FROM cluster_names")
        assert names(name_found(ready, items(), IDS)) == names(found)


def test_what_may_not_be_shown_is_never_kept(context: Context) -> None:
    remember(context, THANKS)
    whens = [When(about("search"), [answer(*PRIVATE)]), When(about("person"), [answer(*THANKS)])]
    with FakeOpenAI(whens=whens) as endpoint:
        found = name_found(with_model(context, endpoint), items(), IDS)
    assert names(found) == [TERMS[0], ("pleased person", "model", None)]
    kept = rows(context, "SELECT * FROM naming_answers WHERE cluster_id = 'c-search'")
    assert [row[2:5] for row in kept] == [
        (None, None, "what it says may not be shown: it holds a path")
    ]
    assert "heron" not in str(kept)


@pytest.mark.slow
def test_a_name_that_tells_nothing_gives_way_to_the_terms(context: Context) -> None:
    remember(context, THANKS)
    whens = [When(about("search"), [answer(*THANKS)]), When(about("person"), [answer(*THANKS)])]
    with FakeOpenAI(whens=whens) as endpoint:
        found = name_found(with_model(context, endpoint), items(), IDS)
    assert names(found) == [TERMS[0], ("pleased person", "model", None)]


def test_where_no_name_tells_it_that_is_said(context: Context) -> None:
    same = ["the search found nothing, early", "the search found nothing, late"] * 6
    alike = ClusteredTexts(same, embed_words(same), np.repeat([0, 1], 6), 2)
    remember_labels(context, term_labels(alike))
    found = name_found(context, alike, IDS)
    assert found[1].note == "name not distinctive"
    stored = "SELECT name, is_distinctive, note FROM cluster_names WHERE cluster_id = 'c-thanks'"
    assert rows(context, stored) == [(found[1].checked.name, False, "name not distinctive")]


@pytest.mark.parametrize(
    ("judge", "problem"),
    [
        ({"consent": False}, "not asked of a model: [judge] consent is not given"),
        pytest.param(
            {"budget_tokens": 10},
            "not asked of a model: the budget of this run has no room for it",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["no-consent", "no-budget"],
)  # fmt: skip
def test_nothing_is_sent_without_consent_or_budget(
    context: Context, judge: dict[str, Any], problem: str
) -> None:
    remember(context)
    with FakeOpenAI() as endpoint:
        found = name_found(with_model(context, endpoint, **judge), items(), IDS)
    assert names(found) == noted(problem)


@pytest.mark.slow
def test_what_judging_spent_is_no_longer_there(context: Context) -> None:
    remember(context)
    with context.warehouse() as connection:
        connection.execute(
            "INSERT INTO runs VALUES ('run-1', 'judgements', now(), now(), 'done', ?)",
            [json.dumps({"model_tokens_sent": 90_000, "model_tokens_received": 9_900})],
        )
    with FakeOpenAI() as endpoint:
        ready = with_model(context, endpoint, budget_tokens=100_000)
        found = name_found(ready, items(), IDS)
        assert names(found) == noted(
            "not asked of a model: the budget of this run has no room for it"
        )


@pytest.mark.slow
def test_what_naming_spent_before_in_the_run_is_no_longer_there(context: Context) -> None:
    remember(context, SEARCH, THANKS)
    whens = [When(about("search"), [answer(*SEARCH)]), When(about("person"), [answer(*THANKS)])]
    with FakeOpenAI(whens=whens) as endpoint:
        name_found(with_model(context, endpoint), items(), IDS)
    spent = rows(context, "SELECT sum(tokens)::INT FROM naming_answers WHERE run_id = 'run-1'")
    assert spent == [(36,)]
    with context.warehouse() as connection:
        connection.execute("UPDATE naming_answers SET tokens = 50_000")
        connection.execute("DELETE FROM cluster_names")
    with FakeOpenAI() as endpoint:
        ready = with_model(context, endpoint, budget_tokens=100_500, model="another")
        assert names(name_found(ready, items(), IDS)) == noted(
            "not asked of a model: the budget of this run has no room for it"
        )


@pytest.mark.slow
def test_nobody_is_asked_while_another_run_judges_by_a_model(context: Context) -> None:
    remember(context)
    with FakeOpenAI() as endpoint, context.home.judging_alone("signals judge"):
        found = name_found(with_model(context, endpoint), items(), IDS)
    assert names(found) == noted("not asked of a model: another run judges by one")


def test_an_endpoint_that_is_down_leaves_the_terms_and_says_so(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(context)
    down = "http://127.0.0.1:9/v1"
    found = name_found(with_model(context, down), items(), IDS)
    problem = (
        f"model endpoint {down} cannot be reached; check the base URL and that the server runs"
    )
    assert names(found) == noted("not named by a model: its endpoint cannot be used")
    assert f"signals: clusters are named by their terms: {problem}" in capsys.readouterr().err
    failed = "SELECT stage, status, counts ->> 'error' FROM runs"
    assert rows(context, failed) == [("naming", "failed", "ModelError")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad",
    [failure(400), refusal(), text("no JSON"), text("{}", finish_reason="length")],
    ids=["refused-request", "refusal", "no-json", "cut"],
)
def test_a_call_that_fails_names_one_cluster_by_terms(context: Context, bad: Any) -> None:
    remember(context, THANKS)
    whens = [When(about("search"), [bad]), When(about("person"), [answer(*THANKS)])]
    with FakeOpenAI(whens=whens) as endpoint:
        found = name_found(with_model(context, endpoint), items(), IDS)
    assert names(found) == [TERMS[0], ("pleased person", "model", None)]


@pytest.mark.slow
def test_a_name_stays_while_it_tells_its_cluster(context: Context) -> None:
    remember(context)
    before = names(name_found(context, items(), IDS))
    more = [*TEXTS, "the search found nothing, yesterday", "the search found nothing, hence"]
    grown = ClusteredTexts(more, embed_words(more), np.append(np.repeat([0, 1], 6), [0, 0]), 2)
    remember_labels(context, term_labels(grown))
    assert names(name_found(replace(context, run_id="run-2"), grown, IDS)) == before
