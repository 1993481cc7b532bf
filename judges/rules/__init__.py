"""The rules judge.

The names are imported when they are first used: who needs the evidence alone (a hook that must
answer at once) does not wait for what words a verdict.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judges.rules.judge import RULES_VERSION, RulesJudge, unscorable

__all__ = ["RULES_VERSION", "RulesJudge", "unscorable"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("judges.rules.judge"), name)
