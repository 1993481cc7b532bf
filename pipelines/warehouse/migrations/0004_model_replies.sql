-- Paid answers of a model, kept as they arrive, so that a killed run pays for none twice.

CREATE TABLE model_replies (
    request_hash VARCHAR PRIMARY KEY, -- of the model's name, the messages and the schema
    session_key VARCHAR NOT NULL,
    reply JSON NOT NULL,              -- as the model gave it: unfiltered, gone when the verdict stands
    answered_at TIMESTAMPTZ NOT NULL
);
