-- Paid answers of a model, kept as they arrive, so that a killed run pays for none twice.

CREATE TABLE model_replies (
    session_key VARCHAR NOT NULL,
    request_hash VARCHAR NOT NULL,    -- of the model's name, the messages and the schema
    reply VARCHAR NOT NULL,           -- JSON, as the model gave it: unfiltered, read by its judge
                                      -- alone, gone when the session's verdict stands
    answered_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_key, request_hash)
);

ALTER TABLE judgements ADD COLUMN tokens_cached BIGINT DEFAULT 0; -- of tokens_sent, from a cache
ALTER TABLE judgements ADD COLUMN cost_usd DOUBLE;  -- by the price table; null: none, or unknown
