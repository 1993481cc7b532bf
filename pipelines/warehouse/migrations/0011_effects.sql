-- What became of merged patches: where the branch took them in, and what each look found.

CREATE TABLE task_merges (
    task_id VARCHAR NOT NULL,
    attempt_id VARCHAR NOT NULL,      -- whose patch was merged
    commit_sha VARCHAR NOT NULL,      -- of the target's branch, the first that holds the patch
    merged_at TIMESTAMPTZ NOT NULL,   -- of that commit
    found_by VARCHAR NOT NULL,        -- commit, change, files: see pipelines/merges.py
    noticed_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (task_id, attempt_id)
);

-- effects.verdict is `watching` besides resolved, regressed and inconclusive; change_low and
-- change_high hold at every look together, see pipelines/effects.py.
ALTER TABLE effects ADD COLUMN run_id VARCHAR;
ALTER TABLE effects ADD COLUMN reason VARCHAR;            -- in words: why this verdict, or what it waits for
ALTER TABLE effects ADD COLUMN way VARCHAR;               -- control, size; null: no verdict on the figures
ALTER TABLE effects ADD COLUMN control VARCHAR;           -- what the control is, in words; null: there is none
ALTER TABLE effects ADD COLUMN control_before BIGINT;     -- sessions with the control
ALTER TABLE effects ADD COLUMN control_after BIGINT;
ALTER TABLE effects ADD COLUMN odds_ratio DOUBLE;         -- of the pattern, after to before; null: any
ALTER TABLE effects ADD COLUMN odds_ratio_low DOUBLE;
ALTER TABLE effects ADD COLUMN odds_ratio_high DOUBLE;    -- null: no bound
ALTER TABLE effects ADD COLUMN control_ratio DOUBLE;      -- the same over that of the control
ALTER TABLE effects ADD COLUMN control_ratio_low DOUBLE;
ALTER TABLE effects ADD COLUMN control_ratio_high DOUBLE;
ALTER TABLE effects ADD COLUMN is_look BOOLEAN;          -- false: too few sessions for a first look
ALTER TABLE effects ADD COLUMN waiting BIGINT;            -- sessions with the patch since the look
ALTER TABLE effects ADD COLUMN needed_before BIGINT;      -- sessions still needed; null: cannot be told
ALTER TABLE effects ADD COLUMN needed_after BIGINT;
ALTER TABLE effects ADD COLUMN left_out_window BIGINT;    -- sessions known when the breach was found
ALTER TABLE effects ADD COLUMN left_out_release BIGINT;   -- of releases that may or may not hold it
ALTER TABLE effects ADD COLUMN left_out_judge BIGINT;     -- judged by another judge than the others
