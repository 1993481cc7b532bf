"""Sources, warehouse, stages, Dagster definitions and the signals command."""
