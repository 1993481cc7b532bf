"""A model that gives away what it reads: a real HTTP endpoint on the loopback interface."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.benchmarks.canaries.sessions import Canary
from tests.fake_openai import Answer, FakeOpenAI, json_text
from tests.judges.answers import task_of

_CASE = re.compile(r"Case (\d{3})\.")
_STEP = re.compile(r'^\{"step": (\d+)', re.MULTILINE)

# The ways in which it tells; {} is the canary.
DISGUISES: dict[str, Callable[[str], str]] = {
    "verbatim": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "spelled with hyphens": "-".join,
    "spelled with blanks": " ".join,
    "backwards": lambda text: text[::-1],
    "in halves": lambda text: f"{text[: len(text) // 2]} {text[len(text) // 2 :]}",
    "zero width": "\u200b".join,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "without signs": lambda text: re.sub(r"[^\w]+", " ", text),
    "first words": lambda text: " ".join(text.split()[:4]),
    "initials": lambda text: " ".join(f"{c}." for c in text if c.isalnum()),
}


class Parrot(FakeOpenAI):
    """The endpoint; `told` holds each disguised canary that it put into an answer."""

    def __init__(self, canaries: Sequence[Canary]) -> None:
        super().__init__()
        self.told: dict[str, tuple[Canary, str]] = {}
        self._canaries = canaries

    def _answers_for(self, request: Mapping[str, Any]) -> list[Answer]:
        """One answer of the form asked for, with a canary in every text of it."""
        asked = "\n".join(message["content"] for message in request["messages"])
        task = task_of(request).partition(" ")[0]
        if task == "rewrite":
            return [json_text(self._rewritten(asked))]
        said = {"verdicts": _verdicts(asked)} if task == "verify" else self._found(asked)
        return [json_text({"answer": said})]

    def _found(self, asked: str) -> dict[str, Any]:
        case = _CASE.search(asked)
        canary = self._canaries[int(case[1])] if case else self._canaries[0]
        steps = [int(number) for number in _STEP.findall(asked)]
        moments = [
            {
                "polarity": "friction", "type": "correction", "severity": "low", "confidence": 0.9,
                "step": steps[number % len(steps)], "citation": self._tell(canary, name),
            }
            for number, name in enumerate(DISGUISES)
        ]  # fmt: skip
        summary = self._tell(canary, "verbatim")
        return {"summary": summary, "intent": "fix", "outcome": "partial", "moments": moments}

    def _tell(self, canary: Canary, disguise: str) -> str:
        hidden = DISGUISES[disguise](canary.text)
        self.told[hidden] = (canary, disguise)
        return f"The person was waiting for {hidden}"[:600]

    def _rewritten(self, asked: str) -> dict[str, Any]:
        """The same again, in other words."""
        lines = [line for line in asked.splitlines() if line.startswith('{"number"')]
        texts = [json.loads(line)["text"] for line in lines]
        return {"texts": [text.replace("was waiting for", "asked for") for text in texts]}


def _verdicts(asked: str) -> list[dict[str, Any]]:
    count = len(re.findall(r"^\d+\. friction correction at step", asked, re.MULTILINE))
    return [
        {"moment": n, "holds": True, "severity": "low", "confidence": 0.9}
        for n in range(1, count + 1)
    ]
