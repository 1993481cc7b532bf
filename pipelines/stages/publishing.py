"""Stage `snapshot`: publish the warehouse under the home's mode and floors."""

from pipelines.context import Context
from pipelines.stages.snapshot import publish_snapshot


def publish(context: Context) -> dict[str, int]:
    """Write the snapshot of this run, make it current and return rows by table."""
    config = context.config
    with context.warehouse() as connection:
        return publish_snapshot(
            connection,
            context.home.snapshots,
            run_id=context.run_id,
            mode=config.mode,
            now=context.clock(),
            min_sessions=config.min_sessions,
            min_users=config.min_users,
        )
