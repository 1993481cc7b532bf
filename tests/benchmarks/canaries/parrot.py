"""A model that gives away what it reads: a real HTTP endpoint on the loopback interface."""

import base64
import json
import re
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.canaries.sessions import Canary

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


class Parrot:
    """The endpoint; `told` holds each disguised canary that it put into an answer."""

    def __init__(self, canaries: Sequence[Canary]) -> None:
        self.told: dict[str, tuple[Canary, str]] = {}
        self.requests = 0
        self._canaries = canaries
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: dict[str, Any]) -> Any:
        """An answer of the form asked for, with a canary in every text of it."""
        with self._lock:
            self.requests += 1
        asked = "\n".join(message["content"] for message in request["messages"])
        if request["response_format"]["json_schema"]["name"] == "texts":
            return self._rewritten(asked)
        if "\nTask: verify" in asked:
            return {"answer": {"verdicts": _verdicts(asked)}}
        return {"answer": self._found(asked)}

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
        with self._lock:
            self.told[f"{hidden}"] = (canary, disguise)
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


def _handler(parrot: Parrot) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            content = json.dumps(parrot.answer(json.loads(body)))
            choice = {"index": 0, "finish_reason": "stop"}
            choice |= {"message": {"role": "assistant", "content": content}}
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            reply = {"id": "c", "object": "chat.completion", "created": 0, "model": "parrot"}
            sent = json.dumps(reply | {"choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    return Handler
