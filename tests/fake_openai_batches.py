"""A scripted Batch API over real HTTP on the loopback interface: files, batches and chat.

Each batch that is created takes the next `Planned` of the script, which says how it ends and what
it answers to its requests in the order of its file; answers are handed out in the opposite order.
It runs until the test calls `end`. `faults` come before the real answer of a call, by method and
first part of the path. A batch too many, a planned one that was not created, a fault that was not
met or a call that does not exist fails the test when the endpoint closes. Chat completions take
the script of FakeOpenAI.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from tests.fake_openai import Answer, FakeOpenAI, failure

Outcome = Answer | str | None
"""A chat answer or HTTP failure; the code of an error (`batch_expired`); or no row at all."""


@dataclass(frozen=True)
class Planned:
    """What becomes of one batch."""

    outcomes: Sequence[Outcome]
    status: str = "completed"
    problem: str | None = None
    expires_at: int | None = 2_000_000_000


class FakeBatches(FakeOpenAI):
    """The endpoint as a context; `files`, `batches` and `calls` are there for the test to read."""

    def __init__(
        self,
        plan: Sequence[Planned] = (),
        *,
        faults: Mapping[str, Sequence[Answer]] | None = None,
        script: Sequence[Answer] = (),
    ) -> None:
        super().__init__(script)
        self.files: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        self.batches: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self._uploaded = 0
        self._plan = list(plan)
        self._faults = {call: list(answers) for call, answers in (faults or {}).items()}

    def requests_of(self, number: int) -> list[dict[str, Any]]:
        """The rows of the input file of batch `number`, as long as it is there."""
        content = self.files[self.batches[number]["input_file_id"]]
        return [json.loads(line) for line in content.splitlines()]

    def end(self, number: int = -1) -> None:
        """The batch gets the state and the answers that were planned for it."""
        planned = self._plan[number if number >= 0 else len(self.batches) + number]
        batch = self.batches[number]
        output, errors = self._rows(planned, self.requests_of(number))
        batch["status"] = planned.status
        batch["output_file_id"] = self._keep(output)
        batch["error_file_id"] = self._keep(errors)
        if planned.problem is not None:
            batch["errors"] = {"object": "list", "data": [{"code": planned.problem}]}

    def serve(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The next fault of the call, else what the API answers."""
        route, _, asked = path.removeprefix("/v1/").partition("?")
        assert route != "files" or method != "GET" or "purpose=batch" in asked
        call = f"{method} {route}"
        with self._lock:
            self.calls.append(call)
            for prefix, answers in self._faults.items():
                if call.startswith(prefix) and answers:
                    return answers.pop(0)
        if route == "chat/completions":
            return super().serve(method, path, body, headers)
        with self._lock:
            return self._answer(method, route.split("/"), body, headers)

    def _answer(
        self, method: str, route: list[str], body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        match method, route:
            case "POST", ["files"]:
                return self._upload(body, headers)
            case "GET", ["files", name, "content"]:
                return Answer(self.files[name]) if name in self.files else failure(404)
            case "GET", ["files"]:
                return _json({"object": "list", "data": self._listed(), "has_more": False})
            case "DELETE", ["files", name]:
                known = self.files.pop(name, None) is not None
                return _json({"id": name, "deleted": True}) if known else failure(404)
            case "POST", ["batches"]:
                return self._create(json.loads(body))
            case "POST", ["batches", name, "cancel"]:
                return self._cancel(name)
            case "GET", ["batches"]:
                listed = {"object": "list", "data": self.batches[::-1], "has_more": False}
                return _json(listed)
            case "GET", ["batches", name]:
                found = [batch for batch in self.batches if batch["id"] == name]
                return _json(found[0]) if found else failure(404)
        self._unexpected.append(f"{method} {'/'.join(route)}")
        return Answer(b"{}", 500, {"x-should-retry": "false"})

    def _upload(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        given = {name.lower(): value for name, value in headers.items()}
        head = f"Content-Type: {given['content-type']}\r\n\r\n".encode()
        fields, filename = {}, ""
        for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
            name = part.get_param("name", header="content-disposition")
            fields[str(name)] = part.get_payload(decode=True)
            filename = part.get_filename() or filename
        assert fields["purpose"] == b"batch"
        content = fields["file"]
        assert isinstance(content, bytes)
        file_id = self._keep(content)
        self.names[str(file_id)] = filename
        return _json({"id": file_id, "object": "file", "purpose": "batch"})

    def _listed(self) -> list[dict[str, str]]:
        """What was uploaded and is still there."""
        named = [(name, self.names[name]) for name in self.files if name in self.names]
        return [{"id": name, "object": "file", "filename": filename} for name, filename in named]

    def _keep(self, content: bytes) -> str | None:
        if not content:
            return None
        self._uploaded += 1
        self.files[f"file-{self._uploaded}"] = content
        return f"file-{self._uploaded}"

    def _create(self, asked: Mapping[str, Any]) -> Answer:
        number = len(self.batches)
        if number >= len(self._plan):
            self._unexpected.append(f"batch {number + 1}")
            return Answer(b"{}", 500, {"x-should-retry": "false"})
        assert asked["input_file_id"] in self.files
        assert (asked["endpoint"], asked["completion_window"]) == ("/v1/chat/completions", "24h")
        batch = {
            "id": f"batch-{number + 1}",
            "object": "batch",
            "created_at": 0,
            "status": "in_progress",
            "expires_at": self._plan[number].expires_at,
            **asked,
        }
        self.batches.append(batch)
        return _json(batch)

    def _cancel(self, name: str) -> Answer:
        for batch in self.batches:
            if batch["id"] == name:
                batch["status"] = "cancelling"
                return _json(batch)
        return failure(404)

    def _rows(self, planned: Planned, requests: Sequence[dict[str, Any]]) -> tuple[bytes, bytes]:
        rows = zip(requests, planned.outcomes, strict=True)
        made = [(_row(request["custom_id"], outcome), outcome) for request, outcome in rows]
        good = [row for row, outcome in made if isinstance(outcome, Answer) and _is_good(outcome)]
        bad = [row for row, outcome in made if row and row not in good]
        return b"".join(good[::-1]), b"".join(bad[::-1])

    def _check(self) -> None:
        super()._check()
        missing = len(self._plan) - len(self.batches)
        assert missing == 0, f"{missing} of {len(self._plan)} planned batches were not created"
        left = {call: len(answers) for call, answers in self._faults.items() if answers}
        assert not left, f"faults that were not met: {left}"


def _is_good(answer: Answer) -> bool:
    return answer.status == 200


def _row(custom_id: str, outcome: Outcome) -> bytes:
    """A line of an output or error file; nothing for a request that is simply missing."""
    row: dict[str, Any] = {"id": f"row-{custom_id[:8]}", "custom_id": custom_id}
    if outcome is None:
        return b""
    if isinstance(outcome, str):
        row |= {"response": None, "error": {"code": outcome, "message": "not kept"}}
    else:
        body = json.loads(outcome.body)
        row |= {"response": {"status_code": outcome.status, "body": body}, "error": None}
    return json.dumps(row).encode() + b"\n"


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode())
