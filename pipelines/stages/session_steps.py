"""Headers and steps of read sessions into the warehouse, where copies of a session agree."""

from datetime import datetime

import duckdb
import polars as pl

from pipelines.stages.spool import SpooledSteps


def write_sessions(
    connection: duckdb.DuckDBPyConnection,
    headers: pl.DataFrame,
    steps: SpooledSteps,
    now: datetime,
) -> None:
    """Write the sessions of some files, whose rows stand in `source_files` by now.

    `headers` is in HEADER_SCHEMA; the `source_path` of headers and steps is the file.
    """
    connection.register("incoming_headers", headers.to_arrow())
    connection.execute(_CONTESTED)
    _write_headers(connection, now)
    is_contested = connection.execute("SELECT count(*) FROM contested").fetchall() != [(0,)]
    for statement in (_FILE_SESSIONS, _ALONE, *((_TAKEN_BACK, _BEST) if is_contested else ())):
        steps.register(connection, "incoming")
        connection.execute(statement)
        connection.unregister("incoming")
    # Until the stage `sessions` has looked again, nothing is known of what these sessions hold.
    connection.execute(
        "UPDATE sessions SET content_hash = NULL FROM incoming_headers AS incoming "
        "WHERE sessions.session_key = incoming.session_key"
    )
    connection.unregister("incoming_headers")


# Sessions of which more than one file tells: those that are known, or come more than once.
_CONTESTED = """
CREATE OR REPLACE TEMP TABLE contested AS
SELECT session_key FROM incoming_headers GROUP BY session_key
HAVING count(DISTINCT source_path) > 1 OR session_key IN (SELECT session_key FROM sessions)
"""

# Among copies of one session the file with most records speaks, then the smaller path. The
# companions of a changed file are in the same run, and `source_files` has all of them by now.
_BEST_FIRST = "file.records DESC, incoming.source_path"


def _write_headers(connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE best_headers AS
        SELECT incoming.*, file.records FROM incoming_headers AS incoming
        JOIN source_files AS file ON file.path = incoming.source_path
        QUALIFY row_number() OVER (PARTITION BY session_key ORDER BY {_BEST_FIRST}) = 1
        """
    )
    connection.execute(
        """
        DELETE FROM best_headers AS incoming USING sessions, source_files AS file
        WHERE sessions.session_key = incoming.session_key
          AND file.path = sessions.source_path
          AND file.path <> incoming.source_path
          AND list_contains(file.session_keys, incoming.session_key)
          AND (file.records, incoming.source_path) > (incoming.records, file.path)
        """
    )
    connection.execute(
        """
        INSERT INTO sessions BY NAME
        SELECT * EXCLUDE (records), ? AS first_seen FROM best_headers
        ON CONFLICT (session_key) DO UPDATE SET
            source_path = excluded.source_path, agent = excluded.agent,
            agent_version = excluded.agent_version, release = excluded.release,
            user_id = excluded.user_id, project = excluded.project,
            parent_key = excluded.parent_key,
            converted_agent = excluded.converted_agent,
            converted_id = excluded.converted_id, is_autonomous = excluded.is_autonomous,
            is_simulated_user = excluded.is_simulated_user, started_at = excluded.started_at,
            ended_at = excluded.ended_at, outcome = excluded.outcome
        """,
        [now],
    )


_FILE_SESSIONS = """
INSERT OR REPLACE INTO file_sessions BY NAME
SELECT source_path AS path, session_key, list(source_ref ORDER BY position) AS source_refs
FROM incoming GROUP BY ALL
"""

# What a judge sees of a step: computed here once, so that nobody has to read the text again.
_DIGEST = """
md5(concat_ws('|', incoming.source_ref, incoming.source, incoming.is_person, incoming.event,
              incoming.text, incoming.tool_calls, incoming.observations)) AS digest
"""
_ALONE = f"""
INSERT INTO steps BY NAME
SELECT incoming.*, {_DIGEST} FROM incoming
WHERE session_key NOT IN (SELECT session_key FROM contested)
"""

# A line number or a JSON pointer says where a record stands in one file; in a copy of the session
# elsewhere the same record has another. Such steps are taken from the session's best file alone.
_POSITIONAL = "(source_ref LIKE 'line:%' OR source_ref LIKE '#%')"
_TAKEN_BACK = f"""
DELETE FROM steps USING sessions
WHERE steps.session_key IN (SELECT session_key FROM contested)
  AND steps.session_key = sessions.session_key AND {_POSITIONAL}
  AND steps.source_path <> sessions.source_path
"""
_BEST = f"""
INSERT OR REPLACE INTO steps BY NAME
SELECT incoming.*, {_DIGEST} FROM incoming
JOIN contested ON contested.session_key = incoming.session_key
JOIN source_files AS file ON file.path = incoming.source_path
JOIN sessions ON sessions.session_key = incoming.session_key
LEFT JOIN steps AS known
  ON (known.session_key, known.source_ref) = (incoming.session_key, incoming.source_ref)
LEFT JOIN source_files AS known_file ON known_file.path = known.source_path
WHERE (known_file.path IS NULL
       OR (file.records, known_file.path) > (known_file.records, file.path))
  AND (incoming.source_path = sessions.source_path
       OR NOT {_POSITIONAL.replace("source_ref", "incoming.source_ref")})
QUALIFY row_number() OVER (
    PARTITION BY incoming.session_key, incoming.source_ref ORDER BY {_BEST_FIRST}
) = 1
"""
