-- What the cascade missed, estimated on sessions drawn at random for the model.

CREATE TABLE audits (
    run_id VARCHAR PRIMARY KEY,
    measured_at TIMESTAMPTZ NOT NULL,
    figures JSON NOT NULL
);
