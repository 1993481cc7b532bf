"""The rules judge."""

from judges.rules.judge import RULES_VERSION, RulesJudge, unscorable

__all__ = ["RULES_VERSION", "RulesJudge", "unscorable"]
