"""What sessions cost: stated before computed, each call once, and unknown is not zero."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent_core.errors import ConfigError
from pipelines.config import Config, PricesConfig
from pipelines.context import Context
from pipelines.home import Home
from pipelines.stages.sessions import summarise_sessions
from pipelines.stages.shown_names import shown_model
from pipelines.warehouse import query
from tests.pipelines.warehouse_rows import add

PRICES = """
as_of = 2026-01-01
ignored_prefixes = ["maker/"]
ignored_suffixes = ["-########"]
[[prices]]
models = ["quill"]
from = 2025-01-01
input = 3
cached = 0.3
cache_write = 3.75
cache_write_hour = 6
output = 15
source = "a page"
checked = 2026-01-01

[[prices]]
models = ["quill"]
from = 2026-01-01
input = 2
output = 10
source = "a page"
checked = 2026-01-01

[[prices]]
models = ["scroll"]
from = 2025-01-01
input = 1
output = 2
source = "a page"
checked = 2026-01-01

[[prices]]
models = ["scroll"]
from = 2025-01-01
until = 2025-07-01
over_input_tokens = 200_000
input = 10
output = 20
source = "a page"
checked = 2026-01-01

[[prices]]
models = ["slate"]
from = 2025-01-01
until = 2025-07-01
up_to_input_tokens = 500_000
input = 4
output = 8
source = "a page"
checked = 2026-01-01
"""
M = 1_000_000
JUNE = datetime(2025, 6, 1, 12, tzinfo=UTC)
LONG_ID = "call-0123456789abcdef"


@pytest.fixture
def priced(context: Context) -> Context:
    """A context with the prices above."""
    return _priced(context)


def _priced(context: Context) -> Context:
    (context.home.root / "own.toml").write_text(PRICES, encoding="utf-8")
    return replace(context, config=Config(prices=PricesConfig(file=Path("own.toml"))))


def _call(**values: Any) -> dict[str, Any]:
    """A record of a call on 1 June 2025; tokens that are not named are 0."""
    tokens = ("input", "cached", "output", "reasoning", "cache_write", "cache_write_hour")
    given = {f"{name}_tokens": values.pop(name, 0) for name in tokens}
    return {"model": "quill", "timestamp": JUNE, **given, **values}


def _fill(context: Context, sessions: dict[str, list[dict[str, Any]]], **headers: Any) -> None:
    with context.warehouse() as connection:
        for key, steps in sessions.items():
            add(connection, "sessions", session_key=key, **headers)
            for position, step in enumerate(steps):
                row = {"source_ref": f"line:{position}", "position": position, **step}
                add(connection, "steps", session_key=key, **row)


def _rows(context: Context, sql: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


class Case(NamedTuple):
    """Steps of one session, and what becomes of them."""

    steps: list[dict[str, Any]]
    cost: float | None
    basis: str | None
    computed: list[float | None]
    unpriced: dict[str, int] = {}  # noqa: RUF012 - never written to


CASES = {
    "tokens at their prices": Case([_call(input=M, output=M)], 18, "computed", [18]),
    "cached and written at their own": Case(
        [_call(input=M, cached=400_000, cache_write=300_000, cache_write_hour=100_000)],
        0.9 + 0.12 + 0.75 + 0.6,
        "computed",
        [2.37],
    ),
    "no price of their own: as input": Case(
        [_call(model="scroll", input=100_000, cached=40_000, cache_write=30_000)],
        0.1,
        "computed",
        [0.1],
    ),
    "stated": Case([_call(input=M, output=M, cost_usd=0.5)], 0.5, "stated", [None]),
    "stated for a model without a price": Case(
        [_call(model="mock-model", input=M, cost_usd=0.25)], 0.25, "stated", [None]
    ),
    "stated as free": Case([_call(input=M, cost_usd=0.0)], 0, "stated", [None]),
    "stated and computed": Case(
        [_call(input=M, cost_usd=0.5), _call(input=M)], 3.5, "mixed", [None, 3]
    ),
    "a total without tokens stands alone": Case(
        [_call(input=M), _call(input_tokens=None, cost_usd=0.5)], 0.5, "stated", [None, None]
    ),
    "stated as free without tokens: says nothing": Case(
        [_call(input=M), _call(input_tokens=None, cost_usd=0.0), _call(cost_usd=0.0)],
        3,
        "computed",
        [3, None, None],
    ),
    "nothing but a 0 without tokens": Case(
        [_call(input_tokens=None, cost_usd=0.0)], None, None, [None]
    ),
    "input unknown": Case(
        [_call(output=M), _call(input=M)], 3, "computed", [None, 3], {"tokens-unknown": 1}
    ),
    "no price": Case([_call(model="mock-model", input=M)], None, None, [None], {"mock-model": 1}),
    "no model": Case([_call(model=None, input=M)], None, None, [None], {"unknown": 1}),
    "a model that is text": Case(
        [_call(model="delete all files", input=M)], None, None, [None], {"a hash": 1}
    ),
    "some without a price": Case(
        [_call(input=M), _call(model="mock-model", input=5), _call(model="mock-model", input=5)],
        3,
        "computed",
        [3, None, None],
        {"mock-model": 2},
    ),
    "no tokens": Case([_call(), _call(model="mock-model")], None, None, [None, None]),
    "tokens unknown": Case([{"model": "quill", "timestamp": JUNE}], None, None, [None]),
    "dated name of a maker": Case(
        [_call(model="maker/quill-20250929", input=M)], 3, "computed", [3]
    ),
    "the last moment of a price": Case(
        [_call(input=M, timestamp=datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC))],
        3,
        "computed",
        [3],
    ),
    "the first moment of the next": Case(
        [_call(input=M, cached=M, timestamp=datetime(2026, 1, 1, tzinfo=UTC))],
        2,
        "computed",
        [2],
    ),
    "before the first price": Case(
        [_call(input=M, timestamp=datetime(2024, 12, 31, tzinfo=UTC))],
        None,
        None,
        [None],
        {"quill": 1},
    ),
    "after the last price": Case(
        [_call(model="slate", input=9, timestamp=datetime(2025, 7, 1, tzinfo=UTC))],
        None,
        None,
        [None],
        {"slate": 1},
    ),
    "a long prompt": Case(
        [_call(model="scroll", input=200_001, output=M)], 22.00001, "computed", [22.00001]
    ),
    "as long as a short one can be": Case(
        [_call(model="scroll", input=200_000, output=M)], 2.2, "computed", [2.2]
    ),
    "long, when that costs no more any longer": Case(
        [_call(model="scroll", input=M, timestamp=datetime(2025, 7, 1, tzinfo=UTC))],
        1,
        "computed",
        [1],
    ),
    "longer than any price": Case(
        [_call(model="slate", input=500_000), _call(model="slate", input=500_001)],
        2,
        "computed",
        [2, None],
        {"slate": 1},
    ),
    "several records of one call": Case(
        [
            _call(input=M, output=10, api_call_id="c"),
            _call(input=M, output=M, api_call_id="c", source_ref="b"),
        ],
        18,
        "computed",
        [18, None],
    ),
    "stated on one record of a call": Case(
        [_call(input=M, api_call_id="c"), _call(input=M, api_call_id="c", cost_usd=0.5)],
        0.5,
        "stated",
        [None, None],
    ),
    "copied from elsewhere": Case(
        [_call(input=M, log_says_copied=True, is_copied_context=True), _call(input=M, output=0)],
        3,
        "computed",
        [None, 3],
    ),
    "more cached than sent": Case([_call(input=10, cached=M)], 0.3, "computed", [0.3]),
    "more for an hour than written": Case(
        [_call(input=M, cache_write=M, cache_write_hour=9 * M)], 6, "computed", [6]
    ),
    "of a reader that counted no writes": Case(
        [_call(input=M, cache_write=None, cache_write_hour=None)], 3, "computed", [3]
    ),
    "stated as what cannot be": Case(
        [
            _call(input=M, cost_usd=float("inf")),
            _call(input=M, cost_usd=float("nan")),
            _call(input=M, cost_usd=-1.0),
            _call(input=M, cost_usd=1e300),
        ],
        12,
        "computed",
        [3, 3, 3, 3],
    ),
}


@pytest.fixture(scope="module")
def summed(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """All cases as sessions of one warehouse, summed up."""
    home = Home(tmp_path_factory.mktemp("costs") / "home").prepare()
    context = _priced(Context(home, Config(), "run-1", "test", lambda: JUNE))
    _fill(context, {name: case.steps for name, case in CASES.items()})
    summarise_sessions(context)
    return context


@pytest.mark.parametrize("name", CASES)
def test_a_session_costs_what_its_calls_cost(summed: Context, name: str) -> None:
    case = CASES[name]
    own = f"WHERE session_key = '{name}'"
    with summed.warehouse() as connection:
        ((cost, basis, unpriced),) = query(
            connection, f"SELECT cost_usd, cost_basis, unpriced_calls FROM sessions {own}"
        ).rows()
        computed = query(
            connection, f"SELECT computed_cost_usd FROM steps {own} ORDER BY position"
        )["computed_cost_usd"]
        models = query(connection, f"SELECT model, calls FROM unpriced_models {own}").rows()
    assert (cost, basis, unpriced) == (
        case.cost if case.cost is None else pytest.approx(case.cost),
        case.basis,
        sum(case.unpriced.values()),
    )
    assert computed.to_list() == [
        value if value is None else pytest.approx(value) for value in case.computed
    ]
    hashed = {shown_model("delete all files", summed.home.salt()): "a hash"}
    assert {hashed.get(model, model): calls for model, calls in models} == case.unpriced


@pytest.mark.parametrize(
    ("started", "cost"),
    [
        pytest.param(datetime(2025, 6, 1, tzinfo=UTC), 3, id="start of the session"),
        pytest.param(None, 2, id="day on which it was first seen"),
    ],
)
def test_a_step_without_a_time_is_of_its_session_s_day(
    priced: Context, started: datetime | None, cost: float
) -> None:
    steps = [_call(input=M, timestamp=None)]
    seen = datetime(2026, 3, 2, tzinfo=UTC)
    _fill(priced, {"s": steps}, started_at=started, first_seen=seen)
    summarise_sessions(priced)
    assert _rows(priced, "SELECT cost_usd FROM sessions") == [(cost,)]


def test_tokens_of_each_kind_count_once_for_each_call(priced: Context) -> None:
    first = _call(input=100, cached=10, output=5, reasoning=2, cache_write=20, api_call_id="c")
    grown = _call(input=100, cached=10, output=9, reasoning=4, cache_write=30, cache_write_hour=7,
                  api_call_id="c")  # fmt: skip
    other = _call(input=1, cache_write=1, cache_write_hour=1)
    _fill(priced, {"s": [first, grown, other]})
    summarise_sessions(priced)
    assert _rows(
        priced,
        "SELECT input_tokens, cached_tokens, output_tokens, reasoning_tokens, cache_write_tokens, "
        "cache_write_hour_tokens FROM sessions",
    ) == [(101, 10, 9, 4, 31, 8)]


@pytest.mark.parametrize(
    ("call_id", "counted"),
    [
        pytest.param(LONG_ID, [("a", 3.0), ("b", None)], id="an id that is unique"),
        pytest.param("line:1234567890123456", [("a", 3.0), ("b", 3.0)], id="a place in a file"),
        pytest.param("#/messages/1234567890", [("a", 3.0), ("b", 3.0)], id="a JSON pointer"),
        pytest.param("api_call_12", [("a", 3.0), ("b", 3.0)], id="a number"),
    ],
)
def test_a_call_in_two_sessions_counts_once_where_its_id_tells(
    priced: Context, call_id: str, counted: list[tuple[str, float | None]]
) -> None:
    _fill(priced, {"a": [_call(input=M, api_call_id=call_id)],
                   "b": [_call(input=M, api_call_id=call_id)]})  # fmt: skip
    summarise_sessions(priced)
    assert _rows(priced, "SELECT session_key, cost_usd FROM sessions ORDER BY ALL") == counted
    assert _rows(priced, "SELECT session_key, computed_cost_usd FROM steps ORDER BY ALL") == counted


def test_a_conversion_costs_nothing_beside_its_original(priced: Context) -> None:
    _fill(priced, {"native": [_call(input=M)]}, session_id="1", agent="quill-agent")
    _fill(priced, {"converted": [_call(input=M)]}, session_id="2", agent="quill-agent",
          converted_agent="quill-agent", converted_id="1")  # fmt: skip
    summarise_sessions(priced)
    assert _rows(priced, "SELECT session_key, cost_usd, unpriced_calls FROM sessions ORDER BY 1") \
        == [("converted", None, 0), ("native", 3.0, 0)]  # fmt: skip


TABLES = ("sessions", "steps", "unpriced_models", "price_tables")


def test_a_second_run_changes_no_row_and_another_table_changes_the_costs(priced: Context) -> None:
    steps = [
        _call(input=M // 3),
        _call(input=7, output=1, source_ref="b"),
        _call(model="mock-model", input=M),
    ]
    _fill(priced, {"s": steps})
    summarise_sessions(priced)
    before = {name: _rows(priced, f"SELECT rowid, * FROM {name} ORDER BY ALL") for name in TABLES}
    summarise_sessions(priced)
    assert before == {
        name: _rows(priced, f"SELECT rowid, * FROM {name} ORDER BY ALL") for name in TABLES
    }
    mystery = '"mock-model", "quill"'
    (priced.home.root / "own.toml").write_text(
        PRICES.replace('"quill"', mystery).replace("input = 3\n", "input = 9\n")
    )
    summarise_sessions(priced)
    assert _rows(priced, "SELECT round(cost_usd, 6), cost_basis, unpriced_calls FROM sessions") == [
        (12.000075, "computed", 0)
    ]
    assert _rows(priced, "FROM unpriced_models") == []
    assert _rows(priced, "SELECT count(*), any_value(as_of)::VARCHAR FROM price_tables") == [
        (1, "2026-01-01")
    ]
    (priced.home.root / "own.toml").write_text("as_of = 2026-01-01\nprices = []")
    summarise_sessions(priced)
    assert _rows(priced, "SELECT cost_usd, cost_basis, unpriced_calls FROM sessions") == [
        (None, None, 3)
    ]
    assert _rows(priced, "SELECT count(computed_cost_usd) FROM steps") == [(0,)]


def test_a_table_that_cannot_be_used_changes_nothing(priced: Context) -> None:
    _fill(priced, {"s": [_call(input=M)]})
    summarise_sessions(priced)
    (priced.home.root / "own.toml").write_text(PRICES.replace("output = 15", "outputs = 15"))
    with pytest.raises(ConfigError, match=r"own\.toml: prices entry 1 \(quill\) output: field"):
        summarise_sessions(priced)
    assert _rows(priced, "SELECT cost_usd FROM sessions") == [(3.0,)]


def test_without_a_table_of_one_s_own_the_shipped_one_holds(context: Context) -> None:
    _fill(context, {"s": [_call(model="claude-opus-4-5-20251101", input=M,
                                timestamp=datetime(2026, 1, 7, tzinfo=UTC))]})  # fmt: skip
    summarise_sessions(context)
    assert _rows(context, "SELECT cost_usd, cost_basis FROM sessions") == [(5.0, "computed")]
