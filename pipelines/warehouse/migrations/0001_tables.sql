-- Raw text stands in `steps` only; everything after `judgements` holds abstracted text.

CREATE TABLE source_files (
    path VARCHAR PRIMARY KEY,
    status VARCHAR NOT NULL,          -- read, part, unknown, empty, metadata, excluded, unreadable
    format VARCHAR,                   -- null where the status is not read
    detail VARCHAR,                   -- why it was not read, in words
    size BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    sha256 VARCHAR,
    records BIGINT NOT NULL DEFAULT 0,
    quarantined BIGINT NOT NULL DEFAULT 0,
    session_keys VARCHAR[] NOT NULL DEFAULT [],
    forced_format VARCHAR,            -- what it was read as by --format; null: by its content
    reader_version BIGINT NOT NULL DEFAULT 0,   -- of the readers; another: to be read again
    sources_hash VARCHAR NOT NULL DEFAULT '',   -- of [sources] exclude and user; likewise
    first_seen TIMESTAMPTZ NOT NULL,
    last_read TIMESTAMPTZ NOT NULL
);

CREATE TABLE file_sessions (          -- what each file holds of each session
    path VARCHAR NOT NULL,
    session_key VARCHAR NOT NULL,
    source_refs VARCHAR[] NOT NULL,   -- its steps, in the order of the file
    PRIMARY KEY (path, session_key)
);

CREATE TABLE sessions (
    session_key VARCHAR PRIMARY KEY,  -- format:session id, see DESIGN "Identity"
    format VARCHAR NOT NULL,
    session_id VARCHAR NOT NULL,
    source_path VARCHAR NOT NULL,     -- the file with most records among copies
    agent VARCHAR NOT NULL,
    agent_version VARCHAR,
    release VARCHAR,                  -- null: unknown, left out of release statistics
    user_id VARCHAR,                  -- null: unknown; all unknowns count as one user
    project VARCHAR,
    parent_key VARCHAR,
    converted_agent VARCHAR,          -- agent and id of the native log that the document may
    converted_id VARCHAR,             -- be a conversion of
    conversion_of VARCHAR,            -- session_key of that log where it is present
    is_autonomous BOOLEAN NOT NULL,
    is_simulated_user BOOLEAN NOT NULL,
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    day DATE,                         -- of the start in UTC, else of the day first seen
    first_seen TIMESTAMPTZ NOT NULL,
    outcome VARCHAR,
    -- From here on the stage `sessions` fills in.
    steps BIGINT NOT NULL DEFAULT 0,  -- own steps; copied context is counted in its owner
    agent_steps BIGINT NOT NULL DEFAULT 0,
    person_turns BIGINT NOT NULL DEFAULT 0,
    copied_steps BIGINT NOT NULL DEFAULT 0,
    tool_calls BIGINT NOT NULL DEFAULT 0,
    tool_errors BIGINT NOT NULL DEFAULT 0,
    input_tokens BIGINT,
    cached_tokens BIGINT,
    output_tokens BIGINT,
    reasoning_tokens BIGINT,
    cost_usd DOUBLE,
    content_hash VARCHAR,             -- of what a judge sees
    exclusion VARCHAR                 -- null: selected, else the reason
);

CREATE TABLE steps (
    session_key VARCHAR NOT NULL,
    source_ref VARCHAR NOT NULL,
    position BIGINT NOT NULL,         -- in the session, over all of its files
    source_path VARCHAR NOT NULL,
    source VARCHAR NOT NULL,          -- system, user, agent
    text VARCHAR NOT NULL,
    reasoning VARCHAR NOT NULL,
    timestamp TIMESTAMPTZ,
    is_person BOOLEAN NOT NULL,
    event VARCHAR,                    -- interrupt, rejection, api_error, compaction, ...
    is_copied_context BOOLEAN NOT NULL,
    log_says_copied BOOLEAN NOT NULL, -- the log's own mark; the ownership rule adds to it
    content_id VARCHAR,
    model VARCHAR,
    api_call_id VARCHAR,
    input_tokens BIGINT,
    cached_tokens BIGINT,
    output_tokens BIGINT,
    reasoning_tokens BIGINT,
    cost_usd DOUBLE,
    tool_calls JSON NOT NULL,         -- [{call_id, name, arguments}]
    observations JSON NOT NULL,       -- [{call_id, content, is_error, error_class, ...}]
    PRIMARY KEY (session_key, source_ref)
);

CREATE TABLE quarantine (
    path VARCHAR NOT NULL,
    place VARCHAR NOT NULL,           -- line:N or a JSON pointer
    reason VARCHAR NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (path, place)
);

CREATE TABLE judgements (
    judgement_id VARCHAR PRIMARY KEY, -- hash of the content hash and the judge's identity
    session_key VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL,
    judge VARCHAR NOT NULL,
    judge_version VARCHAR NOT NULL,
    prompt_version VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    rubric_version VARCHAR NOT NULL,
    status VARCHAR NOT NULL,          -- judged, pending, unscored
    reason VARCHAR,
    attempts BIGINT NOT NULL,
    summary VARCHAR NOT NULL,
    friction_score DOUBLE,
    delight_score DOUBLE,
    facets JSON NOT NULL,
    moments JSON NOT NULL,
    turns JSON NOT NULL,
    tokens_sent BIGINT NOT NULL,
    tokens_received BIGINT NOT NULL,
    judged_at TIMESTAMPTZ NOT NULL,
    current BOOLEAN NOT NULL          -- its moments count
);

CREATE TABLE moments (
    moment_id VARCHAR PRIMARY KEY,    -- hash of judgement, step, polarity and type
    judgement_id VARCHAR NOT NULL,
    session_key VARCHAR NOT NULL,
    source_ref VARCHAR NOT NULL,
    turn_ref VARCHAR,                 -- null in the tail
    polarity VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,
    confidence DOUBLE NOT NULL,
    descriptor VARCHAR NOT NULL,
    citation VARCHAR NOT NULL,
    tool VARCHAR,
    error_class VARCHAR,
    error_signature VARCHAR,          -- class:salted hash
    evidence VARCHAR[] NOT NULL
);

CREATE TABLE facet_schemas (
    version BIGINT PRIMARY KEY,
    schema JSON NOT NULL,
    origin VARCHAR NOT NULL,          -- seed, accepted proposal, rollback
    created_at TIMESTAMPTZ NOT NULL,
    current BOOLEAN NOT NULL
);

CREATE TABLE facet_values (
    session_key VARCHAR NOT NULL,
    schema_version BIGINT NOT NULL,
    facet VARCHAR NOT NULL,
    value JSON,                       -- null: not known
    provenance VARCHAR NOT NULL,      -- log, judge
    judgement_id VARCHAR,             -- what it was read beside; a newer one reads it anew
    PRIMARY KEY (session_key, schema_version, facet)
);

CREATE TABLE schema_proposals (
    proposal_id VARCHAR PRIMARY KEY,  -- hash of kind, target and terms
    kind VARCHAR NOT NULL,            -- new_type, new_value, split, merge, retire
    target VARCHAR NOT NULL,          -- friction, delight or a facet
    name VARCHAR NOT NULL,
    definition VARCHAR NOT NULL,
    support BIGINT NOT NULL,
    sessions BIGINT NOT NULL,
    users BIGINT NOT NULL,
    stability DOUBLE,
    evidence JSON NOT NULL,
    status VARCHAR NOT NULL,          -- open, accepted, rejected
    created_at TIMESTAMPTZ NOT NULL,
    decided_at TIMESTAMPTZ
);

CREATE TABLE embeddings (
    text_hash VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    vector FLOAT[] NOT NULL,
    PRIMARY KEY (text_hash, model)
);

CREATE TABLE clusters (
    kind VARCHAR NOT NULL,            -- friction, delight, session
    cluster BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    terms VARCHAR[] NOT NULL,
    size BIGINT NOT NULL,
    sessions BIGINT NOT NULL,
    users BIGINT NOT NULL,
    maps_to VARCHAR,                  -- the schema's value; null: maps nowhere
    persistence DOUBLE,
    run_id VARCHAR NOT NULL,
    PRIMARY KEY (kind, cluster)
);

CREATE TABLE cluster_members (
    kind VARCHAR NOT NULL,
    item_id VARCHAR NOT NULL,         -- moment_id or session_key
    cluster BIGINT NOT NULL,          -- -1 is noise
    probability DOUBLE NOT NULL,
    PRIMARY KEY (kind, item_id)
);

CREATE TABLE releases (
    agent VARCHAR NOT NULL,
    release VARCHAR NOT NULL,
    first_session_at TIMESTAMPTZ,
    last_session_at TIMESTAMPTZ,
    sessions BIGINT NOT NULL,
    PRIMARY KEY (agent, release)
);

CREATE TABLE error_logs (
    error_id VARCHAR PRIMARY KEY,
    occurred_at TIMESTAMPTZ NOT NULL,
    service VARCHAR,
    severity VARCHAR,
    error_class VARCHAR NOT NULL,
    error_signature VARCHAR NOT NULL  -- class:salted hash
);

CREATE TABLE breaches (
    breach_id VARCHAR PRIMARY KEY,    -- hash of agent, release and pattern
    detected_at TIMESTAMPTZ NOT NULL,
    run_id VARCHAR NOT NULL,
    agent VARCHAR NOT NULL,
    release VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    tool VARCHAR,                     -- null: any
    error_class VARCHAR,              -- null: any
    affected BIGINT NOT NULL,         -- sessions with the pattern
    sessions BIGINT NOT NULL,         -- eligible sessions of the release
    users BIGINT NOT NULL,            -- distinct users among the affected
    baseline_affected BIGINT NOT NULL,
    baseline_sessions BIGINT NOT NULL,
    rate DOUBLE NOT NULL,
    rate_low DOUBLE NOT NULL,         -- 95 % interval of the rate
    rate_high DOUBLE NOT NULL,
    baseline_rate DOUBLE NOT NULL,
    rise_low DOUBLE NOT NULL,         -- 95 % interval of rate minus baseline rate
    rise_high DOUBLE NOT NULL,
    p_value DOUBLE NOT NULL,
    q_value DOUBLE NOT NULL,          -- after false-discovery control over all patterns tested
    task_id VARCHAR
);

CREATE TABLE patch_tasks (
    task_id VARCHAR PRIMARY KEY,
    pattern VARCHAR NOT NULL,         -- agent|type|tool|error class: what a second breach joins by
    agent VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    tool VARCHAR,
    error_class VARCHAR,
    state VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    task JSON NOT NULL,               -- evidence, suspected cause, acceptance
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE task_transitions (
    task_id VARCHAR NOT NULL,
    number BIGINT NOT NULL,
    from_state VARCHAR,
    to_state VARCHAR NOT NULL,
    moved_at TIMESTAMPTZ NOT NULL,
    reason VARCHAR NOT NULL,
    PRIMARY KEY (task_id, number)
);

CREATE TABLE patch_attempts (
    attempt_id VARCHAR PRIMARY KEY,
    task_id VARCHAR NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ NOT NULL,
    status VARCHAR NOT NULL,          -- proposed, failed, unscored
    reason VARCHAR NOT NULL,
    policy VARCHAR NOT NULL,
    sandbox VARCHAR,
    session_id VARCHAR,               -- the core's own session that made the patch
    base_commit VARCHAR,
    branch VARCHAR,
    commit_sha VARCHAR,
    pr_path VARCHAR,
    diff VARCHAR NOT NULL
);

CREATE TABLE gate_results (
    attempt_id VARCHAR NOT NULL,
    number BIGINT NOT NULL,
    gate VARCHAR NOT NULL,
    status VARCHAR NOT NULL,          -- passed, failed, unscored
    reason VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL,
    PRIMARY KEY (attempt_id, number)
);

CREATE TABLE effects (
    task_id VARCHAR NOT NULL,
    measured_at TIMESTAMPTZ NOT NULL,
    affected_before BIGINT NOT NULL,
    sessions_before BIGINT NOT NULL,
    affected_after BIGINT NOT NULL,
    sessions_after BIGINT NOT NULL,
    change_low DOUBLE NOT NULL,
    change_high DOUBLE NOT NULL,
    verdict VARCHAR NOT NULL,         -- resolved, regressed, inconclusive
    PRIMARY KEY (task_id, measured_at)
);

CREATE TABLE runs (
    run_id VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ NOT NULL,
    status VARCHAR NOT NULL,          -- done, failed
    counts JSON NOT NULL,             -- what the stage counted; `ingest` and `judge` carry coverage
    PRIMARY KEY (run_id, stage)
);
