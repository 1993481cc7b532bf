-- What model calls cost: as the log states it, else computed from a table of prices.

ALTER TABLE steps ADD COLUMN computed_cost_usd DOUBLE;  -- each call's once; null: stated or unknown

ALTER TABLE sessions ADD COLUMN cost_basis VARCHAR;     -- of cost_usd: stated, computed, mixed; null
ALTER TABLE sessions ADD COLUMN unpriced_calls BIGINT DEFAULT 0;  -- with tokens, at a cost unknown

CREATE TABLE unpriced_models (
    session_key VARCHAR NOT NULL,
    model VARCHAR NOT NULL,           -- fit to be shown; `unknown` where the log does not say
    calls BIGINT NOT NULL,
    PRIMARY KEY (session_key, model)
);

CREATE TABLE price_tables (           -- the one that the costs were computed with
    sha256 VARCHAR PRIMARY KEY,
    as_of DATE NOT NULL
);
