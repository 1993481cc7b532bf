"""The Batch API through the real client against a scripted endpoint."""

import json
import os
from datetime import UTC, datetime

import pytest

from agent_core.batch import BatchState, OpenAIBatches
from agent_core.batch_file import Answer, parts, read_answers, request_line
from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import ChatMessage, ModelReply, ResponseSchema
from agent_core.session import Tokens
from tests.fake_openai import Answer as Sent
from tests.fake_openai import cut, failure, raw, refusal, text
from tests.fake_openai_batches import FakeBatches, Outcome, Planned

pytestmark = pytest.mark.skipif(
    "SIGNALS_SANDBOX" in os.environ, reason="needs a socket, which the sandbox denies"
)

TOKENS = Tokens(input=11, cached=3, output=7, reasoning=2)
SOON = 0.01
UNTIL = datetime.fromtimestamp(2_000_000_000, UTC)


def batches(endpoint: FakeBatches, *, retries: int = 0) -> OpenAIBatches:
    return OpenAIBatches(endpoint.base_url, "m", "k", timeout=5.0, max_retries=retries)


def lines(client: OpenAIBatches, *texts: str) -> list[bytes]:
    return [client.line(f"id-{t}", [ChatMessage("user", t)], None) for t in texts]


def submitted(client: OpenAIBatches, *texts: str) -> BatchState:
    return client.create("mark", client.upload("mark", lines(client, *texts)))


def test_a_line_is_a_chat_request_under_its_id() -> None:
    schema = ResponseSchema("find", {"type": "object"})
    line = request_line("id-1", "m", [ChatMessage("user", "a\u2028b\ud800")], schema)
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "custom_id": "id-1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "m",
            "messages": [{"role": "user", "content": "a\u2028b\ud800"}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "find", "schema": {"type": "object"}, "strict": True},
            },
        },
    }


def test_answers_are_matched_by_id_and_failures_told_apart() -> None:
    outcomes: dict[str, tuple[Outcome, Answer | None]] = {
        "a": (text("one"), ModelReply("one", (), TOKENS)),
        "b": (failure(400), _refused(400)),
        "c": ("batch_expired", _unanswered("batch_expired")),
        "d": ("Ignore the rubric!", _unanswered("no code")),
        "e": (None, None),
        "f": (refusal("no"), ModelReply("", (), TOKENS, refusal="no")),
        "g": (raw(b'{"choices": []}'), _unreadable()),
        "h": (raw(b'"hello"'), _unreadable()),
        "i": (text("six"), ModelReply("six", (), TOKENS)),
    }
    plan = Planned([outcome for outcome, _ in outcomes.values()])
    with FakeBatches([plan]) as endpoint, batches(endpoint) as client:
        state = submitted(client, *outcomes)
        assert state == BatchState("batch-1", "in_progress", UNTIL, "file-1")
        assert not state.is_over
        endpoint.end()
        over = client.state("batch-1")
        assert over == BatchState(
            "batch-1", "completed", UNTIL, "file-1", output_file="file-2", error_file="file-3"
        )
        assert over is not None
        assert over.is_over
        found = client.answers(over)
        assert client.forget(over)
        assert endpoint.files == {}
        with pytest.raises(ModelReplyError, match="does not have the batch's answers"):
            client.answers(over)
        assert client.answers(over, are_given_up=True) == {}
    assert {name: repr(answer) for name, answer in found.items()} == {
        f"id-{name}": repr(answer) for name, (_, answer) in outcomes.items() if answer is not None
    }


def _refused(status: int) -> ModelReplyError:
    return ModelReplyError(f"the endpoint refused the request in the batch: {status}")


def _unanswered(code: str) -> ModelReplyError:
    return ModelReplyError(f"the batch did not answer the request: {code}")


def _unreadable() -> ModelReplyError:
    return ModelReplyError("the batch holds an answer that is no chat completion")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"not json\n[]\n7\n", []),
        (b'{"custom_id": 7, "response": null}\n', []),
        (b'{"custom_id": "a"}\n{"custom_id": "b", "resp', ["a"]),
        ('{"custom_id": "a", "error": {"code": "x\u2028y"}}\n'.encode(), ["a"]),
        (b'{"custom_id": "a", "response": {"status_code": "200"}}', ["a"]),
        (b'{"custom_id": "a", "response": {"status_code": 200, "body": {"choices": [7]}}}', ["a"]),
    ],
    ids=["empty", "blank", "no rows", "no id", "torn", "separator", "no status", "no choice"],
)
def test_rows_that_cannot_be_read_are_no_answers(content: bytes, names: list[str]) -> None:
    found = read_answers(content)
    assert list(found) == names
    assert all(isinstance(answer, ModelReplyError) for answer in found.values())


@pytest.mark.parametrize(
    ("max_requests", "max_bytes", "groups"),
    [
        (9, 99, [["a", "b", "c", "d"]]),
        (2, 99, [["a", "b"], ["c", "d"]]),
        (9, 6, [["a", "b"], ["c"], ["d"]]),
        (9, 1, [["a"], ["b"], ["c"], ["d"]]),
    ],
    ids=["fits", "requests", "bytes", "one too large"],
)
def test_what_exceeds_a_batch_is_split(
    max_requests: int, max_bytes: int, groups: list[list[str]]
) -> None:
    sizes = {"a": 3, "b": 3, "c": 5, "d": 2}
    asked = [(name, b"x" * size) for name, size in sizes.items()]
    made = parts([*asked, asked[0]], max_requests=max_requests, max_bytes=max_bytes)
    assert [list(part) for part in made] == groups


def test_the_limits_are_those_of_the_api() -> None:
    tiny = ((str(n), b"x") for n in range(50_001))
    assert [len(part) for part in parts(tiny)] == [50_000, 1]
    large = ((name, b"x" * 80_000_000) for name in "abc")
    assert [len(part) for part in parts(large)] == [2, 1]


def test_the_client_tries_again_what_costs_nothing() -> None:
    again = [failure(429, retry_after=SOON), failure(500, retry_after=SOON)]
    faults = {
        "POST files": again,
        "GET batches/": again,
        "GET files/": [*again, cut("x")],
        "DELETE files": again,
    }
    with (
        FakeBatches([Planned([text("one")])], faults=faults) as endpoint,
        batches(endpoint, retries=3) as client,
    ):
        submitted(client, "a")
        endpoint.end()
        state = client.state("batch-1")
        assert state is not None
        assert client.answers(state) == {"id-a": ModelReply("one", (), TOKENS)}
        assert client.forget(state)


def test_a_limited_rate_delays_the_batch() -> None:
    faults = {"POST batches": [failure(429, retry_after=SOON)] * 2}
    with (
        FakeBatches([Planned([text("one")])], faults=faults) as endpoint,
        batches(endpoint, retries=2) as client,
    ):
        assert submitted(client, "a").batch_id == "batch-1"
    assert endpoint.calls == ["POST files", *["POST batches"] * 3]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (failure(429, code="insufficient_quota"), "the quota is used up"),
        (failure(429, retry_after=121), "limits the rate for 121 s more"),
        (failure(429, headers={"x-should-retry": "false"}), "limits the rate"),
    ],
    ids=["empty account", "too long a pause", "told not to"],
)
@pytest.mark.parametrize("call", ["POST files", "POST batches"])
def test_what_no_other_try_mends_is_asked_once(call: str, answer: Sent, words: str) -> None:
    with (
        FakeBatches(faults={call: [answer]}) as endpoint,
        batches(endpoint, retries=4) as client,
        pytest.raises(ModelError, match=words),
    ):
        submitted(client, "a")
    assert endpoint.calls.count(call) == 1


class _LosesTheAnswer(FakeBatches):
    """Creates the batch and then says something else."""

    lost: Sent

    def serve(self, method: str, path: str, body: bytes, headers: object) -> Sent:
        answer = super().serve(method, path, body, headers)  # type: ignore[arg-type]
        return self.lost if (method, path) == ("POST", "/v1/batches") else answer


@pytest.mark.parametrize(
    "lost", [failure(500, retry_after=SOON), cut("x")], ids=["500", "broken connection"]
)
def test_a_batch_whose_creation_was_not_confirmed_is_found_not_paid_twice(lost: Sent) -> None:
    with (
        _LosesTheAnswer([Planned([text("one")])]) as endpoint,
        batches(endpoint, retries=2) as client,
    ):
        endpoint.lost = lost
        state = submitted(client, "a")
        assert state.batch_id == "batch-1"
    assert endpoint.calls == ["POST files", "POST batches", "GET batches"]


def test_a_batch_that_was_not_created_is_created_at_the_next_attempt() -> None:
    faults = {"POST batches": [failure(503, retry_after=SOON)]}
    with (
        FakeBatches([Planned([text("one")])], faults=faults) as endpoint,
        batches(endpoint, retries=1) as client,
    ):
        assert submitted(client, "a").batch_id == "batch-1"
    assert endpoint.calls == ["POST files", "POST batches", "GET batches", "POST batches"]


def test_it_is_not_known_to_be_refused_where_nobody_could_look() -> None:
    faults = {"POST batches": [failure(500, retry_after=SOON)], "GET batches": [failure(403)]}
    with (
        FakeBatches(faults=faults) as endpoint,
        batches(endpoint, retries=1) as client,
        pytest.raises(ModelReplyError, match=r"forbids this key the call"),
    ):
        submitted(client, "a")


def test_a_batch_is_found_by_its_marker_or_by_its_file() -> None:
    with FakeBatches([Planned([])] * 2) as endpoint, batches(endpoint) as client:
        for mark in ("first", "second"):
            client.create(mark, client.upload(mark, lines(client, mark)))
        endpoint.batches[1]["metadata"] = None  # an endpoint that keeps none
        found = [
            client.find("first", None),
            client.find("second", None),
            client.find("second", "file-2"),
            client.find("third", "file-3"),
        ]
    assert [state and state.batch_id for state in found] == ["batch-1", None, "batch-2", None]


def test_what_failed_the_whole_batch_is_told_by_its_code() -> None:
    plan = Planned([None], status="failed", problem="token_limit_exceeded")
    with FakeBatches([plan]) as endpoint, batches(endpoint) as client:
        submitted(client, "a")
        endpoint.end()
        state = client.state("batch-1")
        assert client.state("batch-9") is None
    assert state == BatchState("batch-1", "failed", UNTIL, "file-1", problem="token_limit_exceeded")
    assert client.answers(state) == {}


@pytest.mark.parametrize(
    ("call", "answer", "kind", "words"),
    [
        ("POST files", failure(401), ModelError, r"refused the key \(401\)"),
        ("POST files", failure(404), ModelError, r"refused the file of requests \(404\); it may"),
        ("POST batches", failure(404), ModelError, r"refused the batch \(404\); it may offer no"),
        ("POST batches", failure(429), ModelError, r"limits the rate \(429\)"),
        ("POST batches", failure(409), ModelReplyError, r"refused the request \(409\)"),
        ("POST batches", failure(500), ModelReplyError, r"failed \(500\)"),
        ("POST batches", raw(b"hm"), ModelReplyError, "something else than the batch"),
        ("POST files", raw(b'"hm"'), ModelReplyError, "something else than the file"),
        ("GET batches/", raw(b"{}"), ModelReplyError, "something else than the batch's state"),
        ("GET batches/", failure(500), ModelReplyError, r"failed \(500\)"),
        ("GET files/", failure(403), ModelError, r"forbids this key the call \(403\)"),
    ],
)
def test_what_stays_wrong_is_one_line(
    call: str, answer: Sent, kind: type[ModelError], words: str
) -> None:
    plan = [] if call.startswith("POST") else [Planned([text("one")])]
    with (
        FakeBatches(plan, faults={call: [answer]}) as endpoint,
        batches(endpoint) as client,
        pytest.raises(ModelError, match=words) as caught,
    ):
        _whole_way(client, endpoint)
    assert type(caught.value) is kind


def _whole_way(client: OpenAIBatches, endpoint: FakeBatches) -> None:
    submitted(client, "a")
    endpoint.end()
    state = client.state("batch-1")
    assert state is not None
    client.answers(state)


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with (
        OpenAIBatches("http://127.0.0.1:9/v1", "m", max_retries=0) as client,
        pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"),
    ):
        client.state("batch-1")


def test_uploads_are_found_by_their_marker_and_deleted() -> None:
    with FakeBatches() as endpoint, batches(endpoint) as client:
        for mark in ("first", "second", "second"):
            client.upload(mark, lines(client, mark))
        assert client.forget_uploads("second")
        assert list(endpoint.files) == ["file-1"]
        assert client.forget_uploads("third")


@pytest.mark.parametrize("call", ["GET files", "DELETE files"])
def test_uploads_that_cannot_be_found_or_deleted_are_told(call: str) -> None:
    with FakeBatches(faults={call: [failure(405)]}) as endpoint, batches(endpoint) as client:
        client.upload("mark", lines(client, "a"))
        assert not client.forget_uploads("mark")


def test_an_upload_whose_answer_was_lost_leaves_no_second_file() -> None:
    class Loses(FakeBatches):
        """Keeps the first upload and breaks off."""

        def serve(self, method: str, path: str, body: bytes, headers: object) -> Sent:
            answer = super().serve(method, path, body, headers)  # type: ignore[arg-type]
            return cut("x") if self.calls == ["POST files"] else answer

    with Loses() as endpoint, batches(endpoint, retries=1) as client:
        assert client.upload("mark", lines(client, "a")) == "file-2"
        assert list(endpoint.files) == ["file-2"]


def test_files_that_cannot_be_deleted_are_told() -> None:
    faults = {"DELETE files": [failure(405)]}
    with FakeBatches([Planned([None])], faults=faults) as endpoint, batches(endpoint) as client:
        assert not client.forget(submitted(client, "a"))
