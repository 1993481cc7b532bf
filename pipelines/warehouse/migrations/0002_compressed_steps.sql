-- Text is compressed, and a step carries what the stage `sessions` counts, so that nothing after
-- ingest has to read the text of every step again.

CREATE TABLE compressed_steps (
    session_key VARCHAR NOT NULL,
    source_ref VARCHAR NOT NULL,
    position BIGINT NOT NULL,         -- in the session, over all of its files
    source_path VARCHAR NOT NULL,
    source VARCHAR NOT NULL,          -- system, user, agent
    text VARCHAR NOT NULL USING COMPRESSION zstd,
    reasoning VARCHAR NOT NULL USING COMPRESSION zstd,
    timestamp TIMESTAMPTZ,
    is_person BOOLEAN NOT NULL,
    event VARCHAR,                    -- interrupt, rejection, api_error, compaction, ...
    is_copied_context BOOLEAN NOT NULL,
    log_says_copied BOOLEAN NOT NULL, -- the log's own mark; the ownership rule adds to it
    content_id VARCHAR,
    model VARCHAR,
    api_call_id VARCHAR,
    input_tokens BIGINT,              -- all of them: cached and written to a cache as well
    cached_tokens BIGINT,
    output_tokens BIGINT,
    reasoning_tokens BIGINT,
    cache_write_tokens BIGINT,
    cache_write_hour_tokens BIGINT,   -- those of cache_write_tokens that are kept for an hour
    cost_usd DOUBLE,
    tool_calls JSON NOT NULL USING COMPRESSION zstd,    -- [{call_id, name, arguments}]
    observations JSON NOT NULL USING COMPRESSION zstd,  -- [{call_id, content, is_error, ...}]
    calls BIGINT,                     -- length of tool_calls
    errors BIGINT,                    -- observations with is_error
    digest VARCHAR,                   -- of all that a judge sees
    PRIMARY KEY (session_key, source_ref)
);

INSERT INTO compressed_steps BY NAME
SELECT *, json_array_length(tool_calls) AS calls,
       len(list_filter(json_extract_string(observations, '$[*].is_error'),
                       lambda flag: flag = 'true')) AS errors,
       md5(concat_ws('|', source_ref, source, is_person, event, text, tool_calls, observations))
           AS digest
FROM steps;

DROP TABLE steps;
ALTER TABLE compressed_steps RENAME TO steps;

ALTER TABLE sessions ADD COLUMN cache_write_tokens BIGINT;
ALTER TABLE sessions ADD COLUMN cache_write_hour_tokens BIGINT;
