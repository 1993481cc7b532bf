"""Where pull requests go: a folder of the home, or GitHub. No forge ever merges one."""

from agent_core.forge.making import make_forge
from agent_core.forge.request import Forge, ForgeStatus, Published, PullRequest
from agent_core.forge.settings import ForgeSettings

__all__ = ["Forge", "ForgeSettings", "ForgeStatus", "Published", "PullRequest", "make_forge"]
