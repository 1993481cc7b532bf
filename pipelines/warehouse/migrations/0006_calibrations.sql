-- How well a judge agrees with labels, measured by the owner.

CREATE TABLE calibrations (
    calibration_id VARCHAR NOT NULL,
    measured_at TIMESTAMPTZ NOT NULL,
    labels VARCHAR NOT NULL,          -- hash of the label rows
    judge VARCHAR NOT NULL,
    judge_version VARCHAR NOT NULL,
    prompt_version VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    rubric_version VARCHAR NOT NULL,
    polarity VARCHAR NOT NULL,
    type VARCHAR NOT NULL,            -- `any`: the yes or no of the polarity
    figures JSON NOT NULL,
    PRIMARY KEY (calibration_id, polarity, type)
);
