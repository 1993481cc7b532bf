"""What the ingest benchmark compares: three ways over the same files, each in its own process.

    python tests/benchmarks/ways_to_ingest.py WAY FOLDER LIST

`LIST` names the files, one a line; what a way writes goes below `FOLDER`. Prints seconds of work,
without the start of the interpreter and its imports, as the only line. The processes that Signals
starts while it works are part of its work.
"""

import gzip
import sys
import time
from collections.abc import Callable
from pathlib import Path

Way = Callable[[Path, list[Path]], None]

_LARGEST_LINE = 256 << 20

# One row for each block of content, with the columns that a flat table of steps needs. It tells
# no person from a machine, folds no result into its call, and counts copies and calls twice.
_FLATTEN = """
CREATE TABLE steps AS
WITH lines AS (
    SELECT filename, type, uuid, sessionId, timestamp, message, payload
    FROM read_json($files, format = 'newline_delimited', ignore_errors = true, filename = true,
        maximum_object_size = $largest, columns = {
            'type': 'VARCHAR', 'uuid': 'VARCHAR', 'sessionId': 'VARCHAR', 'timestamp': 'VARCHAR',
            'message': 'JSON', 'payload': 'JSON'})
), claude AS (
    SELECT filename, type, uuid, sessionId, timestamp, message->>'id' AS api_call_id,
        message->>'model' AS model,
        TRY_CAST(message->'usage'->>'input_tokens' AS BIGINT) AS input_tokens,
        TRY_CAST(message->'usage'->>'cache_read_input_tokens' AS BIGINT) AS cached_tokens,
        TRY_CAST(message->'usage'->>'output_tokens' AS BIGINT) AS output_tokens,
        unnest(CASE WHEN json_type(message, '$.content') = 'ARRAY'
            THEN CAST(message->'content' AS JSON[]) ELSE [message->'content'] END) AS block
    FROM lines WHERE message IS NOT NULL
)
SELECT filename, type, uuid, sessionId, timestamp, api_call_id, model, input_tokens,
    cached_tokens, output_tokens, coalesce(block->>'text', block->>'thinking', block->>'$') AS text,
    block->>'name' AS tool, block->'input' AS arguments,
    coalesce(block->>'id', block->>'tool_use_id') AS call_id,
    CASE WHEN block->>'type' = 'tool_result' THEN block->'content' END AS output,
    block->>'is_error' AS is_error
FROM claude
UNION ALL BY NAME
SELECT filename, payload->>'type' AS type, timestamp, payload->>'role' AS source,
    coalesce(payload->>'$.content[0].text', payload->>'message') AS text,
    payload->>'name' AS tool, payload->'arguments' AS arguments, payload->>'call_id' AS call_id,
    payload->'output' AS output,
    TRY_CAST(payload->>'$.info.total_token_usage.input_tokens' AS BIGINT) AS input_tokens,
    TRY_CAST(payload->>'$.info.total_token_usage.output_tokens' AS BIGINT) AS output_tokens
FROM lines WHERE payload IS NOT NULL
"""


def with_signals() -> Way:
    """The stages `ingest` and `sessions` into a fresh home."""
    from pipelines.config import load_config
    from pipelines.context import Context
    from pipelines.home import Home
    from pipelines.stages.ingest import ingest
    from pipelines.stages.sessions import summarise_sessions

    def go(folder: Path, files: list[Path]) -> None:
        home = Home(folder / "home").prepare()
        context = Context(home, load_config(home.config), "benchmark", "benchmark", progress=_quiet)
        ingest(context, files)
        summarise_sessions(context)

    return go


def with_duckdb() -> Way:
    """DuckDB's own reader and a flat table made with SQL."""
    import duckdb

    def go(folder: Path, files: list[Path]) -> None:
        with duckdb.connect(folder / "flat.duckdb") as connection:
            names = [str(path) for path in files]
            connection.execute(_FLATTEN, {"files": names, "largest": _LARGEST_LINE})

    return go


def with_orjson() -> Way:
    """Decode every line and forget it: the least that any reader must do, on one core."""
    import orjson

    def go(_folder: Path, files: list[Path]) -> None:
        for path in files:
            with path.open("rb") as raw:
                is_gzip = raw.read(2) == b"\x1f\x8b"
            with gzip.open(path) if is_gzip else path.open("rb") as lines:
                for line in lines:
                    try:
                        orjson.loads(line)
                    except orjson.JSONDecodeError:
                        continue

    return go


def _quiet(_what: str, _done: int, _total: int) -> None:
    """No progress bar among the figures."""


WAYS: dict[str, Callable[[], Way]] = {
    "signals": with_signals,
    "duckdb": with_duckdb,
    "orjson": with_orjson,
}
"""Each imports what it needs and gives what is measured."""


def main() -> None:
    """Go one way and print the seconds."""
    way, folder, listing = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    files = [Path(line) for line in listing.read_text().splitlines()]
    go = WAYS[way]()
    start = time.perf_counter()
    go(folder, files)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
