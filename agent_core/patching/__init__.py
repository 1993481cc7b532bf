"""Patch tasks: the core repairs its own prompts, tools and playbooks, and proposes it."""

from agent_core.patching.outcome import PatchOutcome
from agent_core.patching.run import run_patch_task
from agent_core.patching.target import Target, bundled_target
from agent_core.patching.task import PatchTask

__all__ = ["PatchOutcome", "PatchTask", "Target", "bundled_target", "run_patch_task"]
