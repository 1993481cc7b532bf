"""What `dagster dev -m pipelines.dagster_entry` loads."""

import os

import dagster as dg

from pipelines.definitions import build_definitions

os.umask(0o077)  # in Dagster's own processes too, what is made is its owner's alone
defs = build_definitions(dg.EnvVar("SIGNALS_HOME"))
