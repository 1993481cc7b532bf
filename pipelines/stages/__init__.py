"""The stages, one function each: a verb calls it, a Dagster asset wraps it, both write `runs`."""
