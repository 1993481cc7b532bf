-- What was handed to a Batch API, and which request is whose.

CREATE TABLE batches (
    batch_id VARCHAR PRIMARY KEY,     -- the endpoint's id
    base_url VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    status VARCHAR NOT NULL,          -- the endpoint's word, `collected` when its answers are kept
    submitted_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    collected_at TIMESTAMPTZ
);

CREATE TABLE batch_requests (
    custom_id VARCHAR NOT NULL,       -- the request's hash
    batch_id VARCHAR NOT NULL,
    session_key VARCHAR NOT NULL,
    status VARCHAR NOT NULL,          -- waiting, answered, failed, expired
    reason VARCHAR,
    PRIMARY KEY (custom_id, batch_id)
);
