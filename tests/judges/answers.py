"""Answers of the model judge's passes, as a scripted endpoint gives them."""

from collections.abc import Mapping
from typing import Any

from tests.fake_openai import Answer, json_text

SUMMARY = "The person asked for a new option and was not content with the first attempt."
CITATION = "The person reported that the delivered option does nothing."


def moment(**changed: Any) -> dict[str, Any]:
    return {
        "polarity": "friction",
        "type": "correction",
        "step": 3,
        "severity": "low",
        "confidence": 0.7,
        "citation": CITATION,
    } | changed


def find(*moments: dict[str, Any], summary: str = SUMMARY) -> Answer:
    found = {"summary": summary, "intent": "feature", "outcome": "partial"}
    return json_text({"answer": found | {"moments": list(moments)}})


def verify(*verdicts: tuple[bool, str, float]) -> Answer:
    said = [
        {"moment": n, "holds": holds, "severity": severity, "confidence": confidence}
        for n, (holds, severity, confidence) in enumerate(verdicts, start=1)
    ]
    return json_text({"answer": {"verdicts": said}})


def task_of(request: Mapping[str, Any]) -> str:
    """What a request of the judge asks for: `find`, `verify` or `rewrite`; any with ` again`."""
    if request["response_format"]["json_schema"]["name"] == "texts":
        return "rewrite"
    again = " again" if len(request["messages"]) > 2 else ""
    content: str = request["messages"][1]["content"]
    return content.rpartition("\nTask: ")[2].split()[0] + again
