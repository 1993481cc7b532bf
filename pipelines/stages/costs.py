"""What each session's model calls used and cost.

One call is several records in some formats, and stands in a parent's and a subagent's file in
others: its tokens are the maximum over its records, and count once, in the session that owns it.
Its cost is what the log states, else its tokens at the list price of its day; a model that has no
price has no cost. A cost that a log states without tokens is the total of its session: nothing is
computed beside it, unless it is 0. What is without input tokens was not fully counted: unknown.
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from pipelines.prices import PriceTable
from pipelines.stages.ownership import IS_LOCAL_CALL, find_call_owners
from pipelines.stages.shown_names import shown_model
from pipelines.warehouse import query, replace_rows

_LONGEST_NAME = 200
"""A longer text is not a model's name."""

# A record without an id is a call of its own. A stated cost is bounded so that no sum overflows.
_CALLS = f"""
CREATE OR REPLACE TEMP TABLE call_records AS
SELECT CASE WHEN api_call_id IS NULL THEN 'step ' || session_key || ' ' || source_ref
            WHEN {IS_LOCAL_CALL} THEN 'local ' || session_key || ' ' || api_call_id
            ELSE 'call ' || api_call_id END AS call,
       coalesce(owner, session_key) AS owner, session_key, source_ref, position, timestamp, model,
       input_tokens, cached_tokens, output_tokens, reasoning_tokens, cache_write_tokens,
       cache_write_hour_tokens,
       CASE WHEN isfinite(cost_usd) AND cost_usd BETWEEN 0 AND 1e12 THEN cost_usd END AS cost_usd
FROM steps SEMI JOIN (FROM sessions WHERE conversion_of IS NULL) USING (session_key)
LEFT JOIN call_owners ON thing = api_call_id
WHERE NOT is_copied_context AND (input_tokens IS NOT NULL OR cost_usd IS NOT NULL);

CREATE OR REPLACE TEMP TABLE summed_calls AS
SELECT call, owner AS session_key,
       arg_min(source_ref, (position, source_ref)) FILTER (session_key = owner) AS source_ref,
       min(model) AS model, min(timestamp) AS called_at,
       max(input_tokens) AS input_tokens, max(cached_tokens) AS cached_tokens,
       max(output_tokens) AS output_tokens, max(reasoning_tokens) AS reasoning_tokens,
       max(cache_write_tokens) AS cache_write_tokens,
       max(cache_write_hour_tokens) AS cache_write_hour_tokens, max(cost_usd) AS stated,
       coalesce(max(input_tokens) > 0 OR max(output_tokens) > 0, false) AS has_tokens
FROM call_records GROUP BY call, owner;

CREATE OR REPLACE TEMP TABLE calls AS
SELECT summed_calls.*, coalesce(called_at, started_at, first_seen)::DATE AS day,
       has_tokens AND stated IS NULL AND NOT coalesce(
           bool_or(stated IS NOT NULL AND NOT has_tokens) OVER (PARTITION BY session_key), false
       ) AS is_open
FROM (SELECT * REPLACE (CASE WHEN has_tokens OR stated > 0 THEN stated END AS stated)
      FROM summed_calls) AS summed_calls JOIN sessions USING (session_key);
"""

# Of the prices that hold on the day, the one for the longest prompts that the call's is beyond.
_COMPUTED = """
CREATE OR REPLACE TEMP TABLE computed_costs AS
WITH amounts AS (
    SELECT call, session_key, source_ref, model, day, input_tokens,
           coalesce(cached_tokens, 0)::DOUBLE AS cached,
           coalesce(cache_write_tokens, 0)::DOUBLE AS written,
           least(written, coalesce(cache_write_hour_tokens, 0)) AS written_hour,
           greatest(input_tokens - cached - written, 0) AS plain,
           coalesce(output_tokens, 0)::DOUBLE AS output
    FROM calls WHERE is_open AND input_tokens > 0
)
SELECT call, session_key, source_ref,
       (plain * price.input + amounts.cached * price.cached + written_hour * price.cache_write_hour
        + (written - written_hour) * price.cache_write + amounts.output * price.output) / 1e6
           AS computed
FROM amounts JOIN model_prices AS price
  ON price.model = amounts.model AND day >= valid_from
 AND day < coalesce(valid_until, 'infinity'::DATE) AND input_tokens > over_input_tokens
QUALIFY row_number() OVER (PARTITION BY call ORDER BY over_input_tokens DESC) = 1
    AND input_tokens <= coalesce(up_to_input_tokens, input_tokens);
"""

# Added up as decimals: a sum of doubles depends on the order, and a second run must change nothing.
_USAGE = """
CREATE OR REPLACE TEMP TABLE usage AS
SELECT session_key, TRY_CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
       TRY_CAST(sum(cached_tokens) AS BIGINT) AS cached_tokens,
       TRY_CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
       TRY_CAST(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens,
       TRY_CAST(sum(cache_write_tokens) AS BIGINT) AS cache_write_tokens,
       TRY_CAST(sum(cache_write_hour_tokens) AS BIGINT) AS cache_write_hour_tokens,
       sum(coalesce(stated, computed)::DECIMAL(38, 12))::DOUBLE AS cost_usd,
       CASE WHEN count(stated) > 0 AND count(computed) > 0 THEN 'mixed'
            WHEN count(stated) > 0 THEN 'stated'
            WHEN count(computed) > 0 THEN 'computed' END AS cost_basis,
       count(*) FILTER (is_open AND computed IS NULL) AS unpriced_calls
FROM calls LEFT JOIN (SELECT call, computed FROM computed_costs) USING (call)
GROUP BY session_key;
"""

_STEPS = """
UPDATE steps SET computed_cost_usd = NULL
WHERE computed_cost_usd IS NOT NULL
  AND (session_key, source_ref) NOT IN (SELECT (session_key, source_ref) FROM computed_costs);

UPDATE steps SET computed_cost_usd = computed FROM computed_costs AS new
WHERE steps.session_key = new.session_key AND steps.source_ref = new.source_ref
  AND computed_cost_usd IS DISTINCT FROM computed;
"""

_UNPRICED = """
SELECT session_key,
       CASE WHEN input_tokens > 0 THEN coalesce(model, 'unknown') ELSE 'tokens-unknown' END
           AS model, count(*) AS calls
FROM calls ANTI JOIN computed_costs USING (call) WHERE is_open GROUP BY ALL
"""


def sum_usage(connection: duckdb.DuckDBPyConnection, prices: PriceTable, salt: bytes) -> None:
    """Make the table `usage`, a row a session, and write what follows from the prices.

    That is the computed cost of steps, the models without a price, and which prices they were.
    """
    find_call_owners(connection)
    connection.execute(_CALLS)
    connection.register("model_prices", prices.of_models(_models(connection)).to_arrow())
    connection.execute(_COMPUTED)
    connection.unregister("model_prices")
    connection.execute(_USAGE)
    connection.execute(_STEPS)
    _replace_all(connection, "unpriced_models", _unpriced(connection, prices, salt))
    used = pl.DataFrame({"sha256": [prices.digest], "as_of": [prices.as_of]})
    _replace_all(connection, "price_tables", used)


def _models(connection: duckdb.DuckDBPyConnection) -> Sequence[str]:
    sql = f"SELECT DISTINCT model FROM calls WHERE length(model) <= {_LONGEST_NAME}"
    names: list[str] = query(connection, sql)["model"].to_list()
    return names


def _unpriced(
    connection: duckdb.DuckDBPyConnection, prices: PriceTable, salt: bytes
) -> pl.DataFrame:
    """(session_key, model, calls), under names that are fit to be shown."""
    found = query(connection, _UNPRICED)
    names = found["model"].unique()
    priced = frozenset(prices.prices["model"])
    shown = {name: shown_model(name, salt, priced) for name in names}
    renamed = found.with_columns(pl.col("model").replace(shown))
    return renamed.group_by("session_key", "model").agg(pl.col("calls").sum())


def _replace_all(connection: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    """Make `rows` all that the table holds; rows that stand in it already are left alone."""
    connection.register("wanted", rows.to_arrow())
    columns = ", ".join(rows.columns)
    connection.execute(
        f"DELETE FROM {table} WHERE ({columns}) NOT IN (SELECT ({columns}) FROM wanted)"
    )
    new = query(connection, f"SELECT {columns} FROM wanted EXCEPT SELECT {columns} FROM {table}")
    connection.unregister("wanted")
    replace_rows(connection, table, new)
