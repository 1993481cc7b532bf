-- What a cache was written with, costs computed from prices, and what the readers count.

ALTER TABLE steps ADD COLUMN cache_write_tokens BIGINT;
ALTER TABLE steps ADD COLUMN cache_write_hour_tokens BIGINT;  -- those that are kept for an hour

ALTER TABLE sessions ADD COLUMN cache_write_tokens BIGINT;
ALTER TABLE sessions ADD COLUMN cache_write_hour_tokens BIGINT;
