-- Facets that evolve: what a judge called a moment beside what the schema calls it, clusters that
-- keep their identity, and what each run found to have changed.

ALTER TABLE moments ADD COLUMN judged_type VARCHAR;       -- as the judge said; `type`: as the schema has it
UPDATE moments SET judged_type = type;

ALTER TABLE schema_proposals ADD COLUMN parts VARCHAR[];  -- split: what it is taken from; merge: what it takes in
ALTER TABLE schema_proposals ADD COLUMN prototype JSON;   -- where its items lie; null: not told by distance
ALTER TABLE schema_proposals ADD COLUMN facet JSON;       -- new_facet: the facet's document
ALTER TABLE schema_proposals ADD COLUMN cluster_id VARCHAR;
ALTER TABLE schema_proposals ADD COLUMN run_id VARCHAR;   -- the run that last found it

ALTER TABLE clusters ADD COLUMN cluster_id VARCHAR;       -- the same from run to run
ALTER TABLE clusters ADD COLUMN parent BIGINT;            -- cluster of the level above; null: none
ALTER TABLE clusters ADD COLUMN definition VARCHAR;
ALTER TABLE clusters ADD COLUMN coherence DOUBLE;         -- mean cosine of its members to its centroid
ALTER TABLE clusters ADD COLUMN centroid FLOAT[];
ALTER TABLE clusters ADD COLUMN reach DOUBLE;             -- cosine to the centroid from which an item is inside
ALTER TABLE clusters ADD COLUMN model VARCHAR;            -- of the vectors

CREATE TABLE cluster_history (        -- one row a cluster and run: a trend over runs is one line
    cluster_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    sessions BIGINT NOT NULL,
    users BIGINT NOT NULL,
    found_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (cluster_id, run_id)
);

CREATE TABLE session_measures (       -- quantities of a session's log that may become facets
    session_key VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL,    -- of what the session held when it was measured
    version BIGINT NOT NULL,          -- of the measures
    value DOUBLE,                     -- null: the log does not show it
    PRIMARY KEY (session_key, measure)
);

CREATE TABLE drift (                  -- what the last run found to have changed
    target VARCHAR NOT NULL,          -- friction, delight or a facet
    value VARCHAR NOT NULL,
    change VARCHAR NOT NULL,          -- grows, shrinks, appears, vanishes, steady, unclear
    affected_before BIGINT NOT NULL,  -- sessions with the value
    sessions_before BIGINT NOT NULL,
    affected_after BIGINT NOT NULL,
    sessions_after BIGINT NOT NULL,
    users_after BIGINT NOT NULL,
    change_low DOUBLE,                -- 95 % interval of the change of the share
    change_high DOUBLE,
    q_value DOUBLE,
    before_from DATE,
    after_from DATE,
    run_id VARCHAR NOT NULL,
    PRIMARY KEY (target, value)
);
