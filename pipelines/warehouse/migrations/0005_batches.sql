-- What was handed to a Batch API, and which request is whose.

CREATE TABLE batches (
    marker VARCHAR PRIMARY KEY,       -- our name of it, which the endpoint keeps beside its own
    batch_id VARCHAR,                 -- the endpoint's; null: not confirmed, to be looked for
    input_file VARCHAR,               -- the endpoint's id of what was uploaded
    base_url VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    status VARCHAR NOT NULL,          -- unconfirmed, the endpoint's word, lost
    requests BIGINT NOT NULL,
    answered BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    dropped BIGINT NOT NULL DEFAULT 0,  -- for sessions that changed or went meanwhile
    submitted_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    collected_at TIMESTAMPTZ          -- null: still open
);

CREATE TABLE batch_requests (         -- until the session they belong to has its verdict
    custom_id VARCHAR NOT NULL,       -- the request's hash
    marker VARCHAR NOT NULL,
    session_key VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL,    -- of what the session held when it was sent
    status VARCHAR NOT NULL,          -- waiting, answered, failed
    reason VARCHAR,                   -- why failed
    PRIMARY KEY (custom_id, marker, session_key)
);
