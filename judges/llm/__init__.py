"""The model judge: find moments, verify each against its steps, publish abstracted text only."""

from judges.llm.judge import LLMJudge, drive
from judges.llm.request import Answer, Judging, ModelRequest

__all__ = ["Answer", "Judging", "LLMJudge", "ModelRequest", "drive"]
