"""The price table: what a model's tokens cost, from which day on.

The table that Signals ships is `data/prices.toml`; `[prices] file` in signals.toml replaces it.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent_core.errors import ConfigError

# Beyond this a price was given for another unit than a million tokens.
_MOST = 100_000
_Usd = Annotated[float, Field(ge=0, le=_MOST, strict=True, allow_inf_nan=False)]
_Name = Annotated[str, Field(min_length=1)]

PRICE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "model": pl.String,
    "valid_from": pl.Date,
    "valid_until": pl.Date,
    "over_input_tokens": pl.Int64,
    "up_to_input_tokens": pl.Int64,
    "input": pl.Float64,
    "cached": pl.Float64,
    "cache_write": pl.Float64,
    "cache_write_hour": pl.Float64,
    "output": pl.Float64,
}
"""A row for each price of a model: `valid_until` and `up_to_input_tokens` are null where there is
no end, `over_input_tokens` is -1 for the price of short prompts."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Price(_Entry):
    """What a million tokens of some models cost in USD from a day on."""

    models: list[_Name] = Field(min_length=1)
    """Their names, in any case; `*` stands for anything."""
    valid_from: date = Field(alias="from")
    valid_until: date | None = Field(default=None, alias="until")
    """The first day on which it no longer holds; without one the next price takes its place."""
    over_input_tokens: Annotated[int, Field(gt=0, strict=True)] | None = None
    """Holds for calls with more input tokens than this alone."""
    up_to_input_tokens: Annotated[int, Field(gt=0, strict=True)] | None = None
    """A call with more input tokens than this has no price."""
    input: _Usd
    cached: _Usd | None = None
    """Read from a cache; not given: as other input."""
    cache_write: _Usd | None = None
    """Written to a cache; not given: as other input."""
    cache_write_hour: _Usd | None = None
    """Written to a cache for an hour; not given: as `cache_write`."""
    output: _Usd
    source: str = Field(min_length=1)
    """The page that says so."""
    checked: date
    """The day on which that was looked up."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "Price":
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError(f"until {self.valid_until} is not after from {self.valid_from}")
        if (self.up_to_input_tokens or self.over_input_tokens or 0) < (self.over_input_tokens or 0):
            raise ValueError("up_to_input_tokens is below over_input_tokens")
        return self


class PriceFile(_Entry):
    """What stands in a price file."""

    as_of: date
    """The day for which the table as a whole was made."""
    ignored_prefixes: list[_Name] = []
    """What may stand before a model's name; `#` is a digit, `*` anything."""
    ignored_suffixes: list[_Name] = []
    """What may stand behind it."""
    prices: list[Price]

    @model_validator(mode="after")
    def _has_no_twins(self) -> "PriceFile":
        seen: dict[tuple[str, date, int | None], int] = {}
        for number, price in enumerate(self.prices, 1):
            for name in _names(price):
                first = seen.setdefault((name, price.valid_from, price.over_input_tokens), number)
                if first != number:
                    raise ValueError(
                        f"prices entries {first} and {number} both give {name} a price from "
                        f"{price.valid_from} on"
                    )
        return self


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of a file."""

    as_of: date
    digest: str
    """SHA-256 of the file."""
    prices: pl.DataFrame
    """In PRICE_SCHEMA, where `model` is a name in the file, in lower case."""
    patterns: Mapping[str, str]
    """The regular expression of each name, the longest name first."""

    def of_models(self, models: Sequence[str]) -> pl.DataFrame:
        """The prices of those of `models` that have any, in PRICE_SCHEMA.

        A model takes the prices of the longest name that it matches.
        """
        left = pl.Series("model", models, dtype=pl.String).unique().sort()
        found = [pl.DataFrame(schema={"model": pl.String, "name": pl.String})]
        for name, pattern in self.patterns.items():
            hit = left.str.to_lowercase().str.contains(pattern)
            found.append(left.filter(hit).to_frame().with_columns(pl.lit(name).alias("name")))
            left = left.filter(~hit)
        named = self.prices.rename({"model": "name"})
        return pl.concat(found).join(named, on="name").select(PRICE_SCHEMA.keys())


def load_prices(file: Path | None = None) -> PriceTable:
    """The table in `file`, or the one that Signals ships.

    Raises ConfigError, which names the file, the entry and the remedy, where it cannot be used.
    """
    path = file or shipped_prices()
    entries: dict[str, Any] = {}
    try:
        content = path.read_bytes()
        entries = tomllib.loads(content.decode("utf-8"))
        read = PriceFile.model_validate(entries)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unusable(path, f"not valid TOML ({error})") from error
    except ValidationError as error:
        raise _unusable(path, _first_problem(error, entries)) from error
    names = {name for price in read.prices for name in _names(price)}
    patterns = {name: _pattern(read, name) for name in _longest_first(names)}
    digest = hashlib.sha256(content).hexdigest()
    return PriceTable(read.as_of, digest, _series(read.prices), patterns)


def shipped_prices() -> Path:
    """Beside this module in an installed package, in `data/` of a checkout."""
    beside = Path(__file__).with_name("prices.toml")
    return beside if beside.exists() else Path(__file__).parents[1] / "data" / "prices.toml"


def _names(price: Price) -> Iterator[str]:
    return (name.lower() for name in price.models)


def _series(prices: Sequence[Price]) -> pl.DataFrame:
    """The prices by name; a later one of a name ends the earlier one for the same prompts."""
    rows = [(name, *_row(price)) for price in prices for name in _names(price)]
    frame = pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row")
    following = pl.col("valid_from").shift(-1).over("model", "over_input_tokens")
    return frame.sort("model", "over_input_tokens", "valid_from").with_columns(
        valid_until=pl.min_horizontal("valid_until", following)
    )


def _row(price: Price) -> tuple[Any, ...]:
    over = price.over_input_tokens
    write = price.input if price.cache_write is None else price.cache_write
    return (
        price.valid_from,
        price.valid_until,
        -1 if over is None else over,
        price.up_to_input_tokens,
        price.input,
        price.input if price.cached is None else price.cached,
        write,
        write if price.cache_write_hour is None else price.cache_write_hour,
        price.output,
    )


def _longest_first(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: (-len(name.replace("*", "")), name))


def _pattern(file: PriceFile, name: str) -> str:
    before = "|".join(_regex(prefix) for prefix in file.ignored_prefixes)
    after = "|".join(_regex(suffix) for suffix in file.ignored_suffixes)
    return f"^(?:{before})*{_regex(name, digits=False)}(?:{after})*$"


def _regex(text: str, *, digits: bool = True) -> str:
    escaped = re.escape(text.lower()).replace(r"\*", ".*")
    return escaped.replace(r"\#", "[0-9]") if digits else escaped


def _first_problem(error: ValidationError, entries: Mapping[str, Any]) -> str:
    """`prices entry 3 (gpt-5) input: input should be ...`"""
    problem = error.errors()[0]
    words = problem["msg"].removeprefix("Value error, ")
    words = f"{words[0].lower()}{words[1:]}"
    if problem["type"] == "extra_forbidden":
        words = "unknown key"
    match problem["loc"]:
        case ("prices", int(index), *rest):
            models = entries["prices"][index]
            named = models.get("models") if isinstance(models, dict) else None
            first = f" ({named[0]})" if isinstance(named, list) and named else ""
            place = [f"prices entry {index + 1}{first}", *map(str, rest)]
        case place:
            place = [*map(str, place)]
    return ": ".join(part for part in (" ".join(place), words) if part)


def _unusable(path: Path, problem: str) -> ConfigError:
    return ConfigError(
        f"{path}: {problem}; correct it, or take [prices] file out of signals.toml to use the "
        "table that Signals ships"
    )
