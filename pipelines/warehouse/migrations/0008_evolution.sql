-- Facets that evolve: what a judge called a moment beside what the schema calls it, clusters that
-- keep their identity, and what each run found to have changed.

ALTER TABLE moments ADD COLUMN judged_type VARCHAR;       -- as the judge said; `type`: as the schema has it
UPDATE moments SET judged_type = type;

ALTER TABLE schema_proposals ADD COLUMN parts VARCHAR[];  -- split: what it is taken from; merge: what it takes in
ALTER TABLE schema_proposals ADD COLUMN prototype JSON;   -- where its items lie; null: not told by distance
ALTER TABLE schema_proposals ADD COLUMN facet JSON;       -- new_facet: the facet's document
ALTER TABLE schema_proposals ADD COLUMN cluster_id VARCHAR;
ALTER TABLE schema_proposals ADD COLUMN run_id VARCHAR;   -- the run that last found it

-- facet_values.provenance is `distance` besides log and judge; what was read from a log stands for
-- every later verdict on the same content.

ALTER TABLE facet_schemas ADD COLUMN base BIGINT;           -- the version it was made from; null: the one before
ALTER TABLE facet_schemas ADD COLUMN proposal_id VARCHAR;   -- that it was made by; null: see origin

CREATE TABLE schema_decisions (       -- everything that was decided on the schema, in its order
    number BIGINT PRIMARY KEY,
    decided_at TIMESTAMPTZ NOT NULL,
    decision VARCHAR NOT NULL,        -- accept, reject, rollback; left_open: not accepted by itself
    proposal_id VARCHAR,              -- null: a rollback
    version BIGINT NOT NULL,          -- in force after it
    decided_by VARCHAR NOT NULL,      -- command, inbox, auto
    reason VARCHAR NOT NULL,
    moments BIGINT NOT NULL,          -- that it gave another type
    sessions BIGINT NOT NULL          -- whose moments or facet values it changed
);

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

CREATE TABLE quantity_tests (         -- what the last run found of each measure: null, not tested so far
    measure VARCHAR PRIMARY KEY,
    reason VARCHAR,                   -- why it is not proposed; null: it is
    eligible BIGINT NOT NULL,         -- sessions that show it
    sessions BIGINT NOT NULL,         -- those in which it is not zero
    users BIGINT NOT NULL,
    p_value DOUBLE,
    q_value DOUBLE,                   -- after false-discovery control over all measures tested
    odds_ratio DOUBLE,                -- of friction, for one standard deviation of log(1 + value)
    odds_low DOUBLE,                  -- 95 % interval
    odds_high DOUBLE,
    rate_odds_ratio DOUBLE,           -- the same of friction in a turn
    log_loss_gain DOUBLE,             -- on sessions left out, in nats a session
    log_loss_gain_low DOUBLE,
    log_loss_gain_high DOUBLE,
    auroc_without DOUBLE,
    auroc_with DOUBLE,
    stability DOUBLE,                 -- share of halves of the sessions with the same direction
    run_id VARCHAR NOT NULL
);

CREATE TABLE drift (                  -- what the last run found to have changed
    target VARCHAR NOT NULL,          -- friction, delight or a facet
    value VARCHAR NOT NULL,
    change VARCHAR NOT NULL,          -- grows, shrinks, appears, vanishes, steady, unclear
    reason VARCHAR,                   -- why it is unclear
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

CREATE TABLE cluster_names (          -- the name in use of each cluster, kept from run to run
    cluster_id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    definition VARCHAR NOT NULL,
    terms VARCHAR[] NOT NULL,
    origin VARCHAR NOT NULL,          -- model, terms
    model VARCHAR,                    -- that gave the name; null: its terms did
    content_hash VARCHAR NOT NULL,    -- of the texts that the name was made from
    accuracy DOUBLE,                  -- share of held-out members found by the name; null: not measured
    chance DOUBLE,                    -- the share that guessing among the same names finds
    held_out BIGINT NOT NULL,         -- members that it was measured on
    is_distinctive BOOLEAN,           -- null: not measured
    note VARCHAR,                     -- name not distinctive; why no model was asked, or did not answer
    named_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE naming_answers (         -- what a model was paid for, filtered; asked once for the same
    request_hash VARCHAR PRIMARY KEY, -- of the model's name, the messages and the schema
    cluster_id VARCHAR NOT NULL,
    name VARCHAR,                     -- null: the answer may not be shown, or is none
    definition VARCHAR,
    reason VARCHAR,                   -- why it may not be shown, or is none
    tokens BIGINT NOT NULL,           -- sent and received
    cost_usd DOUBLE NOT NULL,         -- by the price table; 0 where it has no price
    run_id VARCHAR NOT NULL,
    answered_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE request_readings (       -- what was asked for in a session, by topic: closed words only
    session_key VARCHAR PRIMARY KEY,
    content_hash VARCHAR NOT NULL,    -- of what the session held when it was read
    version VARCHAR NOT NULL,         -- of the rules and the vocabulary
    asked VARCHAR[] NOT NULL,         -- topics asked for
    served VARCHAR[] NOT NULL         -- of these, topics that were served
);

CREATE TABLE unserved_requests (
    session_key VARCHAR NOT NULL,
    source_ref VARCHAR NOT NULL,      -- the turn that asked
    abstract VARCHAR NOT NULL,        -- closed words only
    topic VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    ending VARCHAR NOT NULL,          -- declined, handed_over, no_tool, no_permission, gave_up
    content_hash VARCHAR NOT NULL,
    PRIMARY KEY (session_key, source_ref, topic, action)
);
