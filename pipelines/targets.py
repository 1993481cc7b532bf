"""The patient of patch tasks as the configuration names it."""

from dataclasses import replace

from agent_core.patching import Target, bundled_target
from agent_core.release import AGENT_NAME
from pipelines.config import Config


def configured_target(config: Config) -> Target:
    """The repository of `[target]`, else the checkout that Signals runs from.

    Raises TargetError where that is no git repository.
    """
    found = config.target
    target = replace(bundled_target(found.repo), forge=config.forge.settings)
    if not found.patchable:
        return target
    return replace(
        target,
        patchable=tuple(found.patchable),
        held_out=tuple(found.held_out),
        lint_command=tuple(found.lint_command),
        test_command=tuple(found.test_command),
        is_core=False,
    )


def patient(config: Config) -> str:
    """The agent whose breaches open tasks; those of any other wait for a target."""
    return config.target.agent or AGENT_NAME
