"""The price table: which price a model gets, what a bad table says, and what Signals ships."""

import tomllib
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from agent_core.errors import ConfigError
from pipelines.prices import PRICE_SCHEMA, load_prices, shipped_prices

NAMES = """
as_of = 2026-01-01
ignored_prefixes = ["maker/", "maker.", "us."]
ignored_suffixes = ["-########", "-v#:#", "-latest"]
"""


def _entry(models: str, **keys: object) -> str:
    values = {"from": "2025-01-01", "input": 1, "output": 2, "checked": "2026-01-01", **keys}
    lines = "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)
    return f'[[prices]]\nmodels = {models}\nsource = "a page"\n{lines}\n'


def _file(folder: Path, text: str) -> Path:
    path = folder / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("model", "input_price"),
    [
        pytest.param("quill", 1, id="exact"),
        pytest.param("QUILL", 1, id="any case"),
        pytest.param("quill-pro", 2, id="the longer name"),
        pytest.param("quill-20250929", 1, id="dated"),
        pytest.param("quill-pro-20250929", 2, id="dated longer name"),
        pytest.param("quill-20240101", 3, id="a date with a price of its own"),
        pytest.param("maker/quill", 1, id="prefix"),
        pytest.param("us.maker.quill-20250929-v1:0", 1, id="prefixes and suffixes"),
        pytest.param("maker/quill-latest", 1, id="alias of the latest"),
        pytest.param("house-7b", 4, id="star"),
        pytest.param("house-quill", 4, id="star, where a name stands inside"),
        pytest.param("quill-mini", None, id="another model"),
        pytest.param("quill-2025", None, id="no date"),
        pytest.param("other/quill", None, id="unknown prefix"),
        pytest.param("aquill", None, id="another name that ends so"),
        pytest.param("", None, id="empty"),
        pytest.param("quill\nquill", None, id="two lines"),
    ],
)
def test_a_model_takes_the_prices_of_the_longest_name(
    tmp_path: Path, model: str, input_price: float | None
) -> None:
    table = load_prices(
        _file(
            tmp_path,
            NAMES
            + _entry('["quill"]', input=1)
            + _entry('["quill-pro"]', input=2)
            + _entry('["quill-20240101"]', input=3)
            + _entry('["house-*"]', input=4),
        )
    )
    found = table.of_models([model, model, "unheard-of"])
    assert found["input"].to_list() == ([] if input_price is None else [input_price])
    assert set(found["model"]) <= {model}


def test_prices_of_a_name_follow_one_another(tmp_path: Path) -> None:
    """By date, apart for long prompts; a price that is not given is the input's."""
    table = load_prices(
        _file(
            tmp_path,
            "as_of = 2026-01-01\n"
            + _entry('["quill", "Quill-2"]', input=3, output=15, cached=0.3, cache_write=3.75,
                     cache_write_hour=6)
            + _entry('["quill"]', input=6, output=20, over_input_tokens=1000, until="2025-05-01")
            + _entry('["quill"]', input=2, output=10, up_to_input_tokens=9000, cache_write=2.5,
                     **{"from": "2025-07-01"}),
        )
    )  # fmt: skip
    first, second, end = date(2025, 1, 1), date(2025, 7, 1), date(2025, 5, 1)
    assert table.as_of == date(2026, 1, 1)
    assert table.of_models(["quill", "quill-2"]).sort("model", "over_input_tokens").rows() == [
        ("quill", first, second, -1, None, 3, 0.3, 3.75, 6, 15),
        ("quill", second, None, -1, 9000, 2, 2, 2.5, 2.5, 10),
        ("quill", first, end, 1000, None, 6, 6, 6, 6, 20),
        ("quill-2", first, None, -1, None, 3, 0.3, 3.75, 6, 15),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("as_of = ", "not valid TOML (", id="syntax"),
        pytest.param("prices = []", "as_of: field required", id="no day"),
        pytest.param("as_of = 2026-01-01\nprices = []\ndigest = 'x'", "digest: unknown key",
                     id="unknown key"),
        pytest.param("as_of = 2026-01-01\nprices = 3", "prices: input should be a valid list",
                     id="no list"),
        pytest.param(NAMES + _entry('["a"]') + _entry('["quill"]', inptu=3),
                     "prices entry 2 (quill) inptu: unknown key", id="typo"),
        pytest.param(NAMES + _entry('["quill"]', input=None),
                     "prices entry 1 (quill) input: field required", id="price missing"),
        pytest.param(NAMES + _entry('["quill"]', input='"3"'),
                     "prices entry 1 (quill) input: input should be a valid number", id="text"),
        pytest.param(NAMES + _entry('["quill"]', output="true"),
                     "prices entry 1 (quill) output: input should be a valid number", id="truth"),
        pytest.param(NAMES + _entry('["quill"]', output=-1),
                     "prices entry 1 (quill) output: input should be greater than or equal to 0",
                     id="negative"),
        pytest.param(NAMES + _entry('["quill"]', output="nan"),
                     "prices entry 1 (quill) output: input should be", id="no number"),
        pytest.param(NAMES + _entry('["quill"]', output=15_000_000),
                     "prices entry 1 (quill) output: input should be less than or equal to 100000",
                     id="another unit"),
        pytest.param(NAMES + _entry("[]"), "prices entry 1 models: list should have at least 1",
                     id="no name"),
        pytest.param(NAMES + _entry('[""]'), "prices entry 1 () models 0: string should have",
                     id="empty name"),
        pytest.param(NAMES + _entry('["quill"]', **{"from": '"soon"'}),
                     "prices entry 1 (quill) from: input should be a valid date", id="no date"),
        pytest.param(NAMES + _entry('["quill"]', until="2025-01-01"),
                     "prices entry 1 (quill): until 2025-01-01 is not after from 2025-01-01",
                     id="ends before it starts"),
        pytest.param(NAMES + _entry('["quill"]', over_input_tokens=9, up_to_input_tokens=8),
                     "prices entry 1 (quill): up_to_input_tokens is below over_input_tokens",
                     id="no prompt is so long and so short"),
        pytest.param(NAMES + _entry('["a", "quill"]') + _entry('["Quill"]'),
                     "prices entries 1 and 2 both give quill a price from 2025-01-01 on",
                     id="two prices at once"),
        pytest.param("as_of = 2026-01-01\nprices = [3]", "prices entry 1: input should be",
                     id="entry that is no table"),
    ],
)  # fmt: skip
def test_a_bad_table_is_one_line_with_place_and_remedy(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_prices(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: {problem}")
    assert said.endswith(
        "; correct it, or take [prices] file out of signals.toml to use the table that Signals "
        "ships"
    )
    assert "\n" not in said


def test_a_table_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file"):
        load_prices(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'as_of = "\xe9"')
    with pytest.raises(ConfigError, match=r"latin\.toml: not valid TOML"):
        load_prices(tmp_path / "latin.toml")


def test_an_empty_table_prices_nothing(tmp_path: Path) -> None:
    table = load_prices(_file(tmp_path, "as_of = 2026-01-01\nprices = []"))
    assert table.of_models(["quill"]).rows() == []
    assert table.of_models(["quill"]).schema == pl.Schema(PRICE_SCHEMA)


@pytest.mark.parametrize(
    ("model", "day", "input_tokens", "prices"),
    [
        ("claude-opus-4-5-20251101", date(2026, 1, 7), 10, (5, 0.5, 6.25, 10, 25)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", date(2026, 1, 7), 10,
         (3, 0.3, 3.75, 6, 15)),
        ("claude-opus-4-6", date(2026, 2, 10), 210_000, (10, 1, 12.5, 20, 37.5)),
        ("claude-opus-4-6", date(2026, 4, 10), 210_000, (5, 0.5, 6.25, 10, 25)),
        ("claude-opus-4.8", date(2026, 7, 1), 10, (5, 0.5, 6.25, 10, 25)),
        ("claude-sonnet-5-5", date(2026, 10, 6), 10, (2, 0.2, 2.5, 4, 10)),
        ("claude-sonnet-5-5", date(2026, 10, 7), 10, (2, 0.1, 2.5, 4, 10)),
        ("openai/gpt-4o", date(2024, 6, 1), 10, (5, 5, 5, 5, 15)),
        ("gpt-4o-2024-08-06", date(2025, 6, 1), 10, (2.5, 1.25, 2.5, 2.5, 10)),
        ("gpt-5.5", date(2026, 6, 18), 272_000, (5, 0.5, 5, 5, 30)),
        ("gpt-5.5", date(2026, 6, 18), 272_001, (10, 1, 10, 10, 45)),
        ("gpt-5.6-sol", date(2026, 8, 20), 10, (5, 0.5, 6.25, 6.25, 30)),
        ("gpt-5.6-sol", date(2026, 8, 21), 10, (4, 0.4, 5, 5, 20)),
        ("models/gemini-2.5-pro", date(2026, 1, 9), 200_001, (2.5, 0.25, 2.5, 2.5, 15)),
        ("gemini-3.1-flash-lite", date(2026, 8, 19), 10, (0.25, 0.025, 0.25, 0.25, 1.5)),
    ],
)  # fmt: skip
def test_prices_that_signals_ships(
    model: str, day: date, input_tokens: int, prices: tuple[float, ...]
) -> None:
    rows = load_prices().of_models([model])
    valid = rows.filter(
        pl.col("valid_from") <= day,
        (pl.col("valid_until") > day).fill_null(True),
        pl.col("over_input_tokens") < input_tokens,
    ).sort("over_input_tokens")
    assert valid.select("input", "cached", "cache_write", "cache_write_hour", "output").row(-1) == (
        pytest.approx(prices)
    )


@pytest.mark.parametrize("model", ["sonnet", "default", "gpt-5.3-codex-spark", "scripted"])
def test_what_has_no_list_price_gets_none(model: str) -> None:
    assert load_prices().of_models([model]).is_empty()


def test_every_shipped_price_names_a_public_page_and_a_day() -> None:
    entries = tomllib.loads(shipped_prices().read_text(encoding="utf-8"))["prices"]
    assert all(entry["source"].startswith("https://") for entry in entries)
    assert all(entry["from"] <= entry["checked"] for entry in entries)


def test_an_installed_package_carries_the_table(repository: Path) -> None:
    """The wheel puts the file of the checkout beside the module that looks for it there."""
    build = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = build["targets"]["wheel"]["force-include"]
    assert included == {"data/prices.toml": "pipelines/prices.toml"}
    assert shipped_prices() == repository / "data" / "prices.toml"
