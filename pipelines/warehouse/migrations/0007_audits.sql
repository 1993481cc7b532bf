-- What the cascade missed, estimated on sessions drawn at random for the model.

CREATE TABLE audit_draws (            -- no text: drawn by a hash of session and seed alone
    session_key VARCHAR NOT NULL,
    seed BIGINT NOT NULL,
    content_hash VARCHAR NOT NULL,    -- of what the session held when it was drawn last
    number DOUBLE NOT NULL,           -- the session's permanent random number under the seed
    rate DOUBLE NOT NULL,             -- probability of being drawn: the highest rate it stood under
    run_id VARCHAR NOT NULL,
    drawn_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_key, seed)
);

CREATE TABLE audits (
    run_id VARCHAR PRIMARY KEY,
    measured_at TIMESTAMPTZ NOT NULL,
    figures JSON NOT NULL             -- AuditFigures of pipelines/audit.py
);

CREATE TABLE reading_sizes (          -- of what a model would be sent of a session
    session_key VARCHAR PRIMARY KEY,
    content_hash VARCHAR NOT NULL,
    bytes BIGINT NOT NULL
);
