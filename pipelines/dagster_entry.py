"""What `dagster dev -m pipelines.dagster_entry` loads."""

import dagster as dg

from pipelines.definitions import build_definitions

defs = build_definitions(dg.EnvVar("SIGNALS_HOME"))
