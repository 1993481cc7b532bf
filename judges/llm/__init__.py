"""The model judge: find moments, verify each against its steps, publish abstracted text only."""

from judges.llm.judge import LLMJudge, drive
from judges.llm.reading import CostOf
from judges.llm.request import Answer, Judging, ModelRequest

__all__ = ["Answer", "CostOf", "Judging", "LLMJudge", "ModelRequest", "drive"]
