"""The requests that the model judge makes for a session, answered by a stand-in."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from agent_core.model import ModelReply
from agent_core.session import Session
from judges.llm import LLMJudge, ModelRequest, drive
from judges.replies import MAX_MOMENTS
from judges.rules.judge import unscorable
from judges.transcript import numbered_steps
from judges.verdict import Judgement
from pipelines.token_rates import request_bytes
from tests.judges.nobody import Nobody

BYTES_PER_TOKEN = 4
_STEP = re.compile(r'^\{"step": (\d+),', re.M)
_CLAIM = re.compile(r"^\d+\. (?:friction|delight) \w+ at step \d+$", re.M)


class Sent(NamedTuple):
    """One request: its pass, its tokens, and all of its text in the order it is read."""

    kind: str
    tokens: int
    text: str


def requests_of(session: Session, by_rules: Judgement) -> list[Sent]:
    """What is sent where the model finds what the rules found and every text is rewritten."""
    sent: list[Sent] = []
    judge = LLMJudge(Nobody(), salt=b"benchmark", privacy=cast(Any, _turns_all_down))
    answers = _StandIn(session, by_rules)

    def answer(request: ModelRequest) -> ModelReply:
        kind, reply = answers.reply(request)
        leading = json.dumps(dict(request.schema.schema), sort_keys=True)
        text = "\n".join([leading, *(message.content for message in request.messages)])
        sent.append(Sent(kind, request_bytes(request) // BYTES_PER_TOKEN, text))
        return ModelReply(json.dumps(reply))

    judgement = drive(judge.judging(session), answer)
    if judgement.status != "judged" and unscorable(session) is None:
        raise AssertionError(f"the stand-in's answers were not taken: {judgement.reason}")
    return sent


class _StandIn:
    def __init__(self, session: Session, by_rules: Judgement) -> None:
        numbers = {each.step.source_ref: each.number for each in numbered_steps(session)}
        self._moments = [
            {"polarity": m.polarity, "type": m.type, "step": numbers[m.source_ref],
             "severity": m.severity, "confidence": 0.5, "citation": "A moment was seen here."}
            for m in by_rules.moments
        ]  # fmt: skip

    def reply(self, request: ModelRequest) -> tuple[str, Mapping[str, Any]]:
        content = request.messages[-1].content
        if request.schema.name == "texts":
            return "rewrite", {"texts": []}  # not usable: templates take the texts' places
        data, _, task = content.rpartition("\nTask: ")
        if task.startswith("verify"):
            count = len(_CLAIM.findall(task))
            return "verify", {"answer": {"verdicts": [_holds(n) for n in range(1, count + 1)]}}
        steps = {int(number) for number in _STEP.findall(data)}
        found = [m for m in self._moments if m["step"] in steps][:MAX_MOMENTS]
        said = {"summary": "A summary of what happened.", "intent": "other", "outcome": "unclear"}
        return "find", {"answer": said | {"moments": found}}


def _holds(number: int) -> dict[str, Any]:
    return {"moment": number, "holds": True, "severity": "low", "confidence": 0.5}


def _turns_all_down(*_session: Any) -> "_Strict":
    return _Strict()


class _Strict:
    """The most that rewriting can take."""

    def check(self, _text: str) -> str:
        return "not abstract"
