-- Which breach is covered by which task, and why; what a task is of where it is of no tool.

CREATE TABLE task_breaches (
    breach_id VARCHAR PRIMARY KEY,    -- of `breaches`
    task_id VARCHAR NOT NULL,
    ground VARCHAR NOT NULL,          -- opened, pattern, explained, signature, meaning
    similarity DOUBLE,                -- cosine of the two descriptions; null: decided without
    joined_at TIMESTAMPTZ NOT NULL
);

ALTER TABLE patch_tasks ADD COLUMN signature VARCHAR;   -- class:salted hash; null: not of one signature
ALTER TABLE patch_tasks ADD COLUMN cluster_id VARCHAR;  -- null: not of a cluster
ALTER TABLE patch_attempts ADD COLUMN tokens BIGINT;    -- sent and received; null: not counted
