"""Answers of the model judge's passes, as a scripted endpoint gives them."""

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
    return json_text(
        {"summary": summary, "intent": "feature", "outcome": "partial", "moments": list(moments)}
    )


def verify(*verdicts: tuple[bool, str, float]) -> Answer:
    return json_text(
        {
            "verdicts": [
                {"moment": n, "holds": holds, "severity": severity, "confidence": confidence}
                for n, (holds, severity, confidence) in enumerate(verdicts, start=1)
            ]
        }
    )
