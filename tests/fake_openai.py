"""A scripted OpenAI-compatible endpoint: a real HTTP server on the loopback interface.

Each request takes the next answer of the script; the requests are kept for the test to read. A
call past the end of the script, a path that is not scripted, or an answer never asked for fails
the test when the endpoint closes:

    with FakeOpenAI([text("hello"), failure(429, retry_after=0.01), text("again")]) as endpoint:
        with OpenAIModel(endpoint.base_url, "fake", "key") as model:
            ...
    assert endpoint.requests[0]["messages"] == [...]

Where calls come in no order, answers are kept for requests of a kind: `whens=[When(is_of_kind,
[answer, ...])]`; the first that matches and has an answer left gives it, before the script does.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

CHAT_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted HTTP answer; see the functions below for the usual ones."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    sent_bytes: int | None = None
    """Bytes sent before the connection is cut; None: all."""


@dataclass(frozen=True, slots=True)
class When:
    """Answers to requests of a kind, told by their JSON body, in the order in which they come."""

    matches: Callable[[Mapping[str, Any]], bool]
    answers: Sequence[Answer]


def text(content: str, *, finish_reason: str = "stop", delay_seconds: float = 0.0) -> Answer:
    """An answer of plain text; `finish_reason="length"` is a truncated one."""
    return _completion({"content": content}, finish_reason, delay_seconds)


def with_usage(answer: Answer, sent: int | None, cached: int = 0, received: int = 0) -> Answer:
    """The same answer with other tokens; `sent` None: an endpoint that reports no usage."""
    body = json.loads(answer.body)
    body["usage"] = None
    if sent is not None:
        body["usage"] = {
            "prompt_tokens": sent,
            "completion_tokens": received,
            "total_tokens": sent + received,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
    return replace(answer, body=json.dumps(body).encode())


def json_text(value: Any) -> Answer:
    """An answer whose text is the JSON of a value, as with a response schema."""
    return text(json.dumps(value))


def tool_calls(*calls: tuple[str, str], content: str | None = None) -> Answer:
    """An answer that calls tools: pairs of name and the arguments' JSON text."""
    listed = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls, start=1)
    ]
    return _completion({"content": content, "tool_calls": listed}, "tool_calls", 0.0)


def refusal(words: str = "I cannot help with that.") -> Answer:
    """The model declines a structured answer."""
    return _completion({"content": None, "refusal": words}, "stop", 0.0)


def failure(
    status: int,
    *,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
    code: str | None = None,
) -> Answer:
    """An HTTP error with the API's error object (401, 404, 429, 500, ...)."""
    body = {
        "error": {"message": f"scripted {status}", "type": "scripted", "code": code or str(status)}
    }
    sent = dict(headers or {})
    if retry_after is not None:
        sent["Retry-After"] = str(retry_after)
    return Answer(json.dumps(body).encode(), status, sent)


def raw(body: bytes) -> Answer:
    """A 200 with any body, for example one that is not JSON."""
    return Answer(body)


def cut(content: str) -> Answer:
    """An answer whose connection breaks in the middle of the body."""
    whole = text(content)
    return Answer(whole.body, sent_bytes=len(whole.body) // 2)


class FakeOpenAI:
    """The endpoint as a context; `requests` holds the JSON bodies and `headers` beside them.

    With `at_once` each call waits until so many stand beside each other: fewer fail the test.
    """

    def __init__(
        self, script: Sequence[Answer] = (), *, whens: Sequence[When] = (), at_once: int = 1
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        """When each request came, in seconds of a monotonic clock."""
        self.most_at_once = 0
        self._now = 0
        self._together = threading.Barrier(at_once, timeout=10)
        self._script = list(script)
        self._whens = [(when.matches, list(when.answers)) for when in whens]
        self._expected = len(script) + sum(len(when.answers) for when in whens)
        self._asked = 0
        self._unexpected: list[str] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self)
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
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if error is None:
            self._check()

    def take(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The next answer for such a request; a 500 that is not retried when there is none."""
        with self._lock:
            self._asked += 1
            request = json.loads(body) if path == CHAT_PATH else {}
            answers = self._answers_for(request) if path == CHAT_PATH else []
            if not answers:
                self._unexpected.append(f"call {self._asked} to {path}")
                return Answer(b"{}", 500, {"x-should-retry": "false"})
            self.times.append(time.monotonic())
            self.requests.append(request)
            self.headers.append({name.lower(): value for name, value in headers.items()})
            return answers.pop(0)

    def _answers_for(self, request: Mapping[str, Any]) -> list[Answer]:
        """Those left for requests of its kind, else the script's."""
        kinds = (answers for matches, answers in self._whens if answers and matches(request))
        return next(kinds, self._script)

    def serve(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What a call is answered with; only posts are scripted here."""
        return self.take(path if method == "POST" else f"{path} ({method})", body, headers)

    def wait(self, seconds: float) -> None:
        """Is slow, but no longer than the test lives."""
        if self._closing.wait(seconds):
            time.sleep(0.01)

    def answer(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What `serve` says, after as long as it takes and beside the calls it stands beside."""
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            if self._together.parties > 1:
                self._together.wait()
            answer = self.serve(method, path, body, headers)
            if answer.delay_seconds:
                self.wait(answer.delay_seconds)
        except threading.BrokenBarrierError:
            self._unexpected.append(f"fewer than {self._together.parties} calls at once")
            return Answer(b"{}", 500, {"x-should-retry": "false"})
        finally:
            with self._lock:
                self._now -= 1
        return answer

    def _check(self) -> None:
        assert not self._unexpected, f"unexpected: {', '.join(self._unexpected)}"
        missing = len(self._script) + sum(len(answers) for _, answers in self._whens)
        assert missing == 0, f"{missing} of {self._expected} scripted answers were not asked for"


class _Server(ThreadingHTTPServer):
    def __init__(self, endpoint: FakeOpenAI) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = endpoint

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up (time-out, cut) is part of the script, not an error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = dict(self.headers.items())
        answer = self.server.endpoint.answer(self.command, self.path, body, headers)
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[: answer.sent_bytes])

    do_GET = do_DELETE = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


def _completion(message: dict[str, Any], finish_reason: str, delay_seconds: float) -> Answer:
    body = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }
    return Answer(json.dumps(body).encode(), delay_seconds=delay_seconds)
