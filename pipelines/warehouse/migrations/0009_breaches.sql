-- Breaches of signatures, tools and clusters, against earlier days too, with the looks they cost.

ALTER TABLE breaches ADD COLUMN kind VARCHAR DEFAULT 'type';  -- type, error, signature, tool, cluster
ALTER TABLE breaches ADD COLUMN signature VARCHAR;          -- class:salted hash; null: any
ALTER TABLE breaches ADD COLUMN cluster_id VARCHAR;         -- null: any
ALTER TABLE breaches ADD COLUMN cluster_name VARCHAR;       -- when it was found
ALTER TABLE breaches ADD COLUMN versus VARCHAR DEFAULT 'earlier releases';  -- or earlier days
ALTER TABLE breaches ADD COLUMN since DATE;                 -- first day of the window; null: the release
ALTER TABLE breaches ADD COLUMN odds_ratio DOUBLE;          -- new against old, within users; null: no hit is old
ALTER TABLE breaches ADD COLUMN odds_low DOUBLE;            -- exact interval: 95 % over all looks
ALTER TABLE breaches ADD COLUMN odds_high DOUBLE;           -- null: unbounded
ALTER TABLE breaches ADD COLUMN look BIGINT;                -- number of the look that found it
ALTER TABLE breaches ADD COLUMN level DOUBLE;               -- of its comparison, over all looks
ALTER TABLE breaches ADD COLUMN severity DOUBLE;            -- mean of the affected sessions' gravest: 1 to 3
ALTER TABLE breaches ADD COLUMN impact DOUBLE;              -- sessions beyond the baseline, times severity
ALTER TABLE breaches ADD COLUMN change_release VARCHAR;     -- the release that the rate rose with; null: none
ALTER TABLE breaches ADD COLUMN change_day DATE;
ALTER TABLE breaches ADD COLUMN change_probability DOUBLE;  -- posterior, given one rise; null: not told
ALTER TABLE breaches ADD COLUMN change_from DATE;           -- 95 % credible days
ALTER TABLE breaches ADD COLUMN change_to DATE;
ALTER TABLE breaches ADD COLUMN change_at_releases DOUBLE;  -- posterior of some release boundary
ALTER TABLE breaches ADD COLUMN error_rates JSON;           -- ErrorRate of pipelines/thresholds/error_rates.py
ALTER TABLE breaches ADD COLUMN error_note VARCHAR;         -- what was compared, or why nothing was

UPDATE breaches SET kind = 'error' WHERE tool IS NOT NULL;

CREATE TABLE breach_looks (           -- what was spent: never deleted, or it would be spent again
    comparison_id VARCHAR NOT NULL,   -- hash of agent, release, what it is held against, window
    number BIGINT NOT NULL,           -- from 1
    agent VARCHAR NOT NULL,
    release VARCHAR NOT NULL,
    versus VARCHAR NOT NULL,
    since DATE,
    looked_at TIMESTAMPTZ NOT NULL,   -- sessions known by then are what the look is at
    opened_at TIMESTAMPTZ NOT NULL,   -- of the first look
    level DOUBLE NOT NULL,            -- chance of a false alarm, over all looks of the comparison
    information DOUBLE NOT NULL,      -- n₁n₀ / (n₁ + n₀) at the look
    run_id VARCHAR NOT NULL,
    PRIMARY KEY (comparison_id, number)
);
