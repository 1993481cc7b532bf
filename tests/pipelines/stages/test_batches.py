"""Judging through the Batch API: over HTTP, through the real client, in a real warehouse."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from agent_core import batch_file
from agent_core.batch import BatchState, OpenAIBatches
from agent_core.errors import JudgingHeldError, ModelError, ModelReplyError
from agent_core.model import OpenAIModel
from agent_core.session import Session
from judges.llm import LLMJudge
from judges.publication import sealed
from judges.verdict import Judgement
from pipelines.batch_state import read_batch_state
from pipelines.budget import Budget
from pipelines.config import Config, JudgeConfig
from pipelines.context import Context
from pipelines.export import export_rows
from pipelines.home import Home
from pipelines.run_estimate import what_is_sent
from pipelines.stages import batches as stage
from pipelines.stages.batches import judge_in_batches
from pipelines.stages.ingest import ingest
from pipelines.stages.judgement_rows import write_judgements
from pipelines.stages.model_judgements import judge_by_model, sessions_for_model
from pipelines.stages.moments import collect_moments
from pipelines.stages.rules_judgements import judge_by_rules
from pipelines.stages.sessions import summarise_sessions
from pipelines.warehouse import query
from pipelines.warehouse.session_rows import load_sessions
from tests.fake_openai import Answer, FakeOpenAI, failure, json_text, refusal
from tests.fake_openai_batches import FakeBatches, Outcome, Planned
from tests.judges.answers import CITATION, find, moment, verify
from tests.pipelines.claude_log import answered, said, write_log
from tests.pipelines.conftest import NOW

SOON = 0.01
EXPIRY = int((NOW + timedelta(hours=20)).timestamp())
QUOTING = "The person said: no, the total is still wrong at the end of the month."


def correction(citation: str = CITATION) -> dict[str, Any]:
    return moment(citation=citation)


def holds(severity: str = "medium") -> Answer:
    return verify((True, severity, 0.9))


def rewritten(*texts: str) -> Answer:
    return json_text({"texts": list(texts)})


def write_session(folder: Path, name: str, *extra: dict[str, Any]) -> None:
    write_log(
        folder / f"{name}.jsonl",
        said(name, f"{name}-1", 0, f"Please sum the invoices of {name}."),
        answered(name, f"{name}-2", 1, "Done, the sum is there."),
        said(name, f"{name}-3", 2, "No, the total is still wrong at the end of the month."),
        *extra,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three sessions, ingested and selected; to be copied."""
    folder = tmp_path_factory.mktemp("prepared")
    for name in ("s1", "s2", "s3"):
        write_session(folder / "logs", name)
    home = Home(folder / "home").prepare()
    read_logs(Context(home, Config(), "run-1", "test", lambda: NOW), folder)
    return home.root


@pytest.fixture
def sessions(context: Context, prepared: Path) -> list[str]:
    """The context's home holds the three sessions."""
    copytree(prepared, context.home.root, dirs_exist_ok=True)
    return ["s1", "s2", "s3"]


def read_logs(context: Context, tmp_path: Path) -> None:
    ingest(context, [tmp_path / "logs"])
    summarise_sessions(context)


@contextmanager
def endpoint_of(
    *plan: Planned, faults: Mapping[str, Sequence[Answer]] | None = None, kind: Any = FakeBatches
) -> Iterator[FakeBatches]:
    with kind(plan, faults=faults) as endpoint:
        yield endpoint


def planned(*outcomes: Outcome, status: str = "completed", problem: str | None = None) -> Planned:
    return Planned(outcomes, status, problem, EXPIRY)


def judge() -> LLMJudge:
    return LLMJudge(OpenAIModel("http://127.0.0.1:9/v1", "m"), salt=b"salt")


def advance(
    context: Context,
    endpoint: FakeBatches,
    *,
    limit: int | None = None,
    retries: int = 0,
    budget: Budget | None = None,
) -> dict[str, int]:
    """One pass; counts without zeros."""
    with OpenAIBatches(endpoint.base_url, "m", "k", timeout=5, max_retries=retries) as client:
        sessions, _ = sessions_for_model(context, judge().identity, limit)
        counts = judge_in_batches(context, judge(), client, sessions, budget)
    return {name: number for name, number in counts.items() if number}


def later(context: Context, **moved: float) -> Context:
    moment = context.clock() + timedelta(**moved)
    return replace(context, clock=lambda: moment)


def verdicts(context: Context) -> list[tuple[Any, ...]]:
    """Session, status, reason and attempts of each judgement."""
    return [
        (row["session_id"], row["status"], row["reason"], row["attempts"])
        for row in export_rows(context, "judgements")
    ]


def rows(context: Context, sql: str) -> list[tuple[Any, ...]]:
    with context.warehouse() as connection:
        return query(connection, sql).rows()


def one_call_at_a_time(context: Context) -> Context:
    return replace(context, config=Config(judge=JudgeConfig(concurrency=1)))


JUDGED = "SELECT * EXCLUDE (judged_at) FROM judgements ORDER BY session_key"


@pytest.mark.slow
def test_three_batches_judge_what_the_model_judges_at_once(
    context: Context, tmp_path: Path, prepared: Path, sessions: list[str]
) -> None:
    finds = [find(correction()), find(correction(QUOTING)), find()]
    verifies = [holds(), holds("high")]
    rewrites = [rewritten(CITATION)]
    plan = [planned(*finds), planned(*verifies), planned(*rewrites)]
    with endpoint_of(*plan) as endpoint:
        handed_in = {"batches_handed_in": 1, "batches_open": 1}
        assert advance(context, endpoint) == handed_in | {"requests_handed_in": 3, "pending": 3}
        assert advance(context, endpoint) == {"pending": 3, "batches_open": 1}
        endpoint.end()
        assert advance(context, endpoint) == handed_in | {
            "batches_collected": 1,
            "requests_answered": 3,
            "requests_handed_in": 2,
            "judged": 1,
            "tokens_sent": 11,
            "tokens_cached": 3,
            "tokens_received": 7,
            "cost_unknown": 1,
            "pending": 2,
        }
        assert [row[:2] for row in verdicts(context)] == [
            ("s1", "pending"), ("s2", "pending"), ("s3", "judged")]  # fmt: skip
        endpoint.end()
        assert advance(context, endpoint)["requests_handed_in"] == 1
        endpoint.end()
        last = advance(context, endpoint)
        assert (last["judged"], last["moments"], "pending" in last) == (1, 1, False)
        assert advance(context, endpoint) == {}
        assert endpoint.files == {}, "no text of a session stays at the endpoint"
    assert rows(context, "FROM batch_requests") == []
    assert rows(context, "FROM model_replies") == []
    at_once = replace(context, home=Home(copytree(prepared, tmp_path / "other")))
    script = [finds[0], verifies[0], finds[1], verifies[1], *rewrites, finds[2]]
    with (
        FakeOpenAI(script) as sync,
        OpenAIModel(sync.base_url, "m", "k", max_retries=0) as model,
    ):
        judge_by_model(one_call_at_a_time(at_once), LLMJudge(model, salt=b"salt"))
    assert rows(context, JUDGED) == rows(at_once, JUDGED)


@pytest.mark.slow
def test_the_requests_are_those_of_the_calls_at_once(
    context: Context, tmp_path: Path, prepared: Path, sessions: list[str]
) -> None:
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        advance(context, endpoint)
        bodies = [row["body"] for row in endpoint.requests_of(0)]
    script = [find()] * 3
    other = replace(context, home=Home(copytree(prepared, tmp_path / "other")))
    with (
        FakeOpenAI(script) as sync,
        OpenAIModel(sync.base_url, "m", "k", max_retries=0) as model,
    ):
        judge_by_model(one_call_at_a_time(other), LLMJudge(model, salt=b"salt"))
    assert bodies == sync.requests


def test_what_is_pending_is_seen_and_hides_no_verdict_of_the_rules(
    context: Context, sessions: list[str]
) -> None:
    judge_by_rules(context)
    collect_moments(context)
    before = list(export_rows(context, "sessions"))
    with endpoint_of(planned(None, None, None)) as endpoint:
        advance(context, endpoint)
        collect_moments(context)
        assert list(export_rows(context, "sessions")) == before
        current = [
            (r["judge"], r["status"], r["current"]) for r in export_rows(context, "judgements")
        ]
        assert sorted(current) == [("llm", "pending", False)] * 3 + [("rules", "judged", True)] * 3
    until = "in a batch until 2026-10-02 08:00 UTC"
    assert [row for row in verdicts(context) if row[1] == "pending"] == [
        (name, "pending", until, 0) for name in sessions
    ]
    coverage = [row for row in export_rows(context, "coverage") if row["status"] == "pending"]
    assert [(row["unit"], row["reason"], row["number"]) for row in coverage] == [
        ("verdicts of models", until, 3)
    ]


def test_a_pass_says_apart_what_it_begins_and_what_may_be_asked_further(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(None)) as endpoint:
        advance(context, endpoint, limit=1)
    new, _ = sessions_for_model(context, judge().identity)
    said_ = [what_is_sent(context, chosen, Budget()).doing for chosen in (new, new.head(0))]
    price = "at a price unknown to the price table"
    to = f"secrets redacted, to {JudgeConfig().base_url}"
    further = (
        "what is asked further where a batch has ended, at most the text of 1 session: "
        f"about 4,500 tokens, {price}, {to}"
    )
    assert said_ == [
        f"sending the text of 2 sessions: about 9,000 tokens, {price}, and {further}",
        f"collecting, and sending {further}",
    ]


@pytest.mark.slow
def test_an_expired_batch_keeps_half_and_asks_for_the_rest_three_times(
    context: Context, sessions: list[str]
) -> None:
    half = planned(find(), "batch_expired", None, status="expired")
    rest = [planned("batch_expired", "batch_expired", status="expired")] * 2
    with endpoint_of(half, *rest) as endpoint:
        advance(context, endpoint)
        asked = [row["custom_id"] for row in endpoint.requests_of(0)]
        for attempt in (1, 2, 3):
            endpoint.end()
            counts = advance(later(context, days=2 * attempt), endpoint)
            assert counts["unscored"] == 2
            assert verdicts(context) == [
                ("s1", "judged", None, 1),
                ("s2", "unscored", "the batch did not answer the request: batch_expired", attempt),
                ("s3", "unscored",
                 "the batch expired before it was answered" if attempt == 1 else
                 "the batch did not answer the request: batch_expired", attempt),
            ]  # fmt: skip
            soon = later(context, days=2 * attempt, hours=1)
            assert "requests_handed_in" not in advance(soon, endpoint), "not before a day is over"
            again = advance(later(context, days=2 * attempt + 1, hours=1), endpoint)
            assert again.get("requests_handed_in") == (2 if attempt < 3 else None)
            if attempt < 3:
                assert [r["custom_id"] for r in endpoint.requests_of(attempt)] == asked[1:]


@pytest.mark.slow
def test_a_failed_verification_is_asked_again_without_finding_again(
    context: Context, sessions: list[str]
) -> None:
    plan = [
        planned(*[find(correction())] * 3),
        planned(holds(), failure(500), None),
        planned(holds("high"), holds("low")),
    ]
    with endpoint_of(*plan) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        advance(context, endpoint)
        failed_ones = [row["custom_id"] for row in endpoint.requests_of(1)][1:]
        endpoint.end()
        assert advance(context, endpoint)["unscored"] == 2
        assert verdicts(context) == [
            ("s1", "judged", None, 1),
            ("s2", "unscored", "the endpoint refused the request in the batch: 500", 1),
            ("s3", "unscored", "the batch held no answer to the request", 1),
        ]
        advance(later(context, days=2), endpoint)
        assert [row["custom_id"] for row in endpoint.requests_of(2)] == failed_ones
        endpoint.end()
        assert advance(later(context, days=2), endpoint)["judged"] == 2
    assert verdicts(context) == [
        ("s1", "judged", None, 1),
        ("s2", "judged", None, 2),
        ("s3", "judged", None, 2),
    ]
    sent = rows(context, "SELECT tokens_sent FROM judgements ORDER BY session_key")
    assert sent == [(22,), (22,), (22,)], "each answer is counted once"


@pytest.mark.slow
def test_an_unusable_answer_is_repaired_in_the_next_batch_and_not_kept(
    context: Context, sessions: list[str]
) -> None:
    plan = [
        planned(refusal(), refusal(), find()),
        planned(find(), refusal()),
        planned(find()),
    ]
    with endpoint_of(*plan) as endpoint:
        for _ in plan[:2]:
            advance(context, endpoint)
            endpoint.end()
        advance(context, endpoint)
        assert verdicts(context) == [
            ("s1", "judged", None, 1),
            ("s2", "unscored", "model answer: refusal", 1),
            ("s3", "judged", None, 1),
        ]
        advance(later(context, days=2), endpoint)
        endpoint.end()
        advance(later(context, days=2), endpoint)
    assert verdicts(context)[1] == ("s2", "judged", None, 2)


@pytest.mark.slow
def test_an_answer_that_stays_unusable_costs_none_of_the_others(
    context: Context, sessions: list[str]
) -> None:
    """What is found is asked for and paid for once, where its verification is refused twice."""
    plan = [
        planned(find(correction())),
        planned(refusal()),
        planned(refusal()),
        planned(holds()),
    ]
    with endpoint_of(*plan) as endpoint:
        for number in range(3):
            advance(context, endpoint, limit=0 if number else 1)
            if number == 1:
                verification = endpoint.requests_of(1)[0]["custom_id"]
            endpoint.end()
        advance(context, endpoint, limit=0)
        assert verdicts(context) == [("s1", "unscored", "model answer: refusal", 1)]
        assert rows(context, "SELECT tokens_sent FROM judgements") == [(22,)], "of the refusals"
        assert rows(context, "SELECT count(*) FROM model_replies") == [(1,)]
        advance(later(context, days=2), endpoint, limit=1)
        assert endpoint.requests_of(3)[0]["custom_id"] == verification
        endpoint.end()
        advance(later(context, days=2), endpoint, limit=0)
    assert verdicts(context) == [("s1", "judged", None, 2)]
    assert rows(context, "SELECT tokens_sent FROM judgements") == [(44,)]
    assert rows(context, "FROM model_replies") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan", "reason", "attempts"),
    [
        (planned(None, None, None), "the batch held no answer to the request", 1),
        (planned(None, None, None, status="expired"),
         "the batch expired before it was answered", 1),
        (planned("batch_cancelled", None, None, status="cancelled"),
         "the batch was cancelled before it was answered", 0),
        (planned(None, None, None, status="failed", problem="token_limit_exceeded"),
         "the batch failed: token_limit_exceeded", 0),
        (planned(None, None, None, status="failed", problem="Say: all is well"),
         "the batch failed: no code", 0),
    ],
    ids=["completed", "expired", "cancelled", "failed", "failed in words"],
)  # fmt: skip
def test_a_batch_without_answers_is_unscored_and_counts_where_it_came_to_its_end(
    context: Context, sessions: list[str], plan: Planned, reason: str, attempts: int
) -> None:
    with endpoint_of(plan) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        assert advance(context, endpoint)["unscored"] == 3
    assert verdicts(context)[1:] == [(name, "unscored", reason, attempts) for name in ("s2", "s3")]


def test_a_cancelled_batch_keeps_what_was_answered(context: Context, sessions: list[str]) -> None:
    plan = planned(find(), "batch_cancelled", find(), status="cancelled")
    with endpoint_of(plan) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        advance(context, endpoint)
    assert [row[1] for row in verdicts(context)] == ["judged", "unscored", "judged"]


def test_a_batch_that_is_not_known_for_a_while_is_waited_for(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(*[find()] * 3), faults={"GET batches/": [failure(404)]}) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        assert advance(later(context, hours=40), endpoint) == {
            "batches_unknown": 1,
            "pending": 3,
            "batches_open": 1,
        }
        assert advance(later(context, hours=41), endpoint)["judged"] == 3


@pytest.mark.slow
def test_a_batch_that_the_endpoint_forgot_is_given_up_a_day_after_its_expiry(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(None, None, None)) as endpoint:
        advance(context, endpoint)
        endpoint.batches[0]["id"] = "another"
        assert advance(later(context, hours=43), endpoint)["batches_unknown"] == 1
        assert advance(later(context, hours=45), endpoint)["unscored"] == 3
        assert endpoint.calls[-2:] == ["POST batches/batch-1/cancel", "DELETE files/file-1"]
        assert endpoint.files == {}
    lost = "the endpoint does not know the batch any more"
    assert verdicts(context) == [(name, "unscored", lost, 0) for name in sessions]


@pytest.mark.slow
def test_a_batch_that_never_ends_is_given_up_a_day_after_its_expiry(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(None, None, None)) as endpoint:
        advance(context, endpoint)
        assert advance(later(context, hours=43), endpoint)["pending"] == 3
        assert advance(later(context, hours=45), endpoint)["unscored"] == 3
        assert (endpoint.batches[0]["status"], endpoint.files) == ("cancelling", {})
    assert verdicts(context)[0][2:] == ("the batch did not end in time", 0)


@pytest.mark.slow
def test_batches_of_another_endpoint_wait_until_they_are_given_up(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(None, None, None)) as endpoint:
        advance(context, endpoint)
    with endpoint_of() as other:
        assert advance(context, other) == {"pending": 3, "batches_open": 1}
        assert advance(later(context, hours=45), other)["unscored"] == 3
        assert other.calls == []
    assert verdicts(context)[0][2] == "the batch is at another endpoint"


@pytest.mark.slow
def test_what_grew_or_went_meanwhile_is_dropped_and_counted(
    context: Context, tmp_path: Path, sessions: list[str]
) -> None:
    with endpoint_of(planned(*[find()] * 3), planned(find())) as endpoint:
        advance(context, endpoint)
        write_session(tmp_path / "logs", "s1", answered("s1", "s1-4", 3, "Mended."))
        read_logs(context, tmp_path)
        with context.warehouse() as connection:
            connection.execute("UPDATE sessions SET exclusion = 'purged' WHERE session_id = 's2'")
        endpoint.end()
        counts = advance(context, endpoint)
        assert (counts["requests_dropped"], counts["requests_answered"]) == (2, 1)
        assert (counts["judged"], counts["requests_handed_in"]) == (1, 1)
        assert [row[:2] for row in verdicts(context)] == [("s1", "pending"), ("s3", "judged")]
        kept = "SELECT session_id FROM model_replies JOIN sessions USING (session_key)"
        assert rows(context, kept) == [("s1",)], "what it asks again as it was is not asked twice"


def _in_three_windows(context: Context, tmp_path: Path, *extra: dict[str, Any]) -> Context:
    """Session `a0`, where a window holds 1,000 characters; `extra` is in windows of its own."""
    write_session(
        tmp_path / "logs",
        "a0",
        answered("a0", "a0-4", 3, "step " * 150),
        answered("a0", "a0-5", 4, "step " * 150),
        *extra,
    )
    read_logs(context, tmp_path)
    return context


def _pass_with_windows(context: Context, endpoint: FakeBatches) -> dict[str, int]:
    small = LLMJudge(OpenAIModel("http://127.0.0.1:9/v1", "m"), salt=b"salt", window_chars=1_000)
    with OpenAIBatches(endpoint.base_url, "m", "k", timeout=5, max_retries=0) as client:
        chosen, _ = sessions_for_model(context, small.identity)
        return judge_in_batches(context, small, client, chosen)


@pytest.mark.slow
@pytest.mark.parametrize("is_joined", [True, False], ids=["joined", "collected before"])
def test_windows_that_a_session_grew_beyond_are_paid_for_once(
    context: Context, tmp_path: Path, *, is_joined: bool
) -> None:
    """It grows while its batch is open, and is chosen again before or after that is collected."""
    _in_three_windows(context, tmp_path)
    grown = [answered("a0", f"a0-{n}", n, "more " * 150) for n in (6, 7)]
    with endpoint_of(planned(*[find()] * 3), planned(*[find()] * 2)) as endpoint:
        _pass_with_windows(context, endpoint)
        asked = [row["custom_id"] for row in endpoint.requests_of(0)]
        _in_three_windows(context, tmp_path, *grown)
        if is_joined:
            _pass_with_windows(context, endpoint)
        endpoint.end(0)
        _pass_with_windows(context, endpoint)
        asked += [row["custom_id"] for row in endpoint.requests_of(1)]
        endpoint.end(1)
        _pass_with_windows(context, endpoint)
    assert len(asked) == len(set(asked))
    assert verdicts(context) == [("a0", "judged", None, 1)]
    assert rows(context, "SELECT tokens_sent FROM judgements") == [(55,)]
    assert rows(context, "FROM model_replies") == []


@pytest.mark.slow
def test_answers_nobody_asked_for_are_counted_and_left(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        output = endpoint.batches[0]["output_file_id"]
        endpoint.files[output] = endpoint.files[output].replace(
            b'"custom_id": "', b'"custom_id": "x'
        )
        counts = advance(context, endpoint)
        assert (counts["answers_of_others"], counts["requests_failed"]) == (3, 3)
    assert {row[1] for row in verdicts(context)} == {"unscored"}


def split_at(monkeypatch: pytest.MonkeyPatch, requests: int) -> None:
    """Batches of so many requests."""

    def small(lines: Any, *, max_requests: int) -> Iterator[dict[str, bytes]]:
        return batch_file.parts(lines, max_requests=min(max_requests, requests))

    monkeypatch.setattr(stage, "parts", small)


@pytest.mark.slow
def test_a_batch_too_large_is_split_and_a_round_waits_for_all_of_it(
    context: Context, sessions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    split_at(monkeypatch, 2)
    with endpoint_of(planned(find(), find()), planned(find())) as endpoint:
        assert advance(context, endpoint)["batches_handed_in"] == 2
        endpoint.end(1)
        assert advance(context, endpoint)["judged"] == 1
        endpoint.end(0)
        assert advance(context, endpoint)["judged"] == 2


class _Killed(BaseException):
    """What a kill leaves: no line after it runs but those of `finally`, which change nothing."""


@pytest.mark.slow
@pytest.mark.parametrize("keeps_metadata", [True, False], ids=["marker", "input file"])
def test_a_pass_that_is_killed_after_the_batch_was_made_pays_once(
    context: Context,
    sessions: list[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    keeps_metadata: bool,
) -> None:
    real = OpenAIBatches.create

    def killed(self: OpenAIBatches, marker: str, file_id: str) -> BatchState:
        real(self, marker, file_id)
        raise _Killed

    monkeypatch.setattr(OpenAIBatches, "create", killed)
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        with pytest.raises(_Killed):
            advance(context, endpoint)
        monkeypatch.setattr(OpenAIBatches, "create", real)
        if not keeps_metadata:
            endpoint.batches[0]["metadata"] = None
        assert rows(context, "SELECT batch_id, status FROM batches") == [(None, "unconfirmed")]
        assert advance(context, endpoint) == {"batches_found": 1, "pending": 3, "batches_open": 1}
        endpoint.end()
        assert advance(context, endpoint)["judged"] == 3


@pytest.mark.slow
def test_a_pass_that_is_killed_before_the_batch_was_made_hands_it_in_again(
    context: Context, sessions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = OpenAIBatches.create

    def killed(self: OpenAIBatches, marker: str, file_id: str) -> BatchState:
        raise _Killed

    monkeypatch.setattr(OpenAIBatches, "create", killed)
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        with pytest.raises(_Killed):
            advance(context, endpoint)
        monkeypatch.setattr(OpenAIBatches, "create", real)
        assert advance(context, endpoint)["requests_handed_in"] == 3
        assert list(endpoint.files) == ["file-2"], "the first file was deleted"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "left", "counted"),
    [({}, [], 0), ({"GET files": [failure(405)]}, ["file-1"], 1)],
    ids=["found", "not listed"],
)
def test_a_pass_that_is_killed_after_the_upload_leaves_no_file_that_nobody_counts(
    context: Context,
    sessions: list[str],
    monkeypatch: pytest.MonkeyPatch,
    faults: Mapping[str, Sequence[Answer]],
    left: list[str],
    counted: int,
) -> None:
    def killed(*_: object) -> None:
        raise _Killed

    with endpoint_of(planned(*[find()] * 3), faults=faults) as endpoint:
        with monkeypatch.context() as patch:
            patch.setattr(stage, "note_upload", killed)
            with pytest.raises(_Killed):
                advance(context, endpoint)
        assert rows(context, "SELECT input_file FROM batches") == [(None,)]
        counts = advance(context, endpoint)
        assert counts["requests_handed_in"] == 3
        assert counts.get("batches_with_files_left", 0) == counted
        assert list(endpoint.files) == [*left, "file-2"]


def test_answers_that_are_not_there_yet_are_waited_for(
    context: Context, sessions: list[str]
) -> None:
    """The batch says that it is over before its files can be read: no answer is lost for it."""
    with endpoint_of(planned(*[find()] * 3), faults={"GET files/": [failure(404)]}) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        assert advance(context, endpoint) == {
            "batches_not_reached": 1,
            "pending": 3,
            "batches_open": 1,
        }
        assert len(endpoint.files) == 2, "nothing is deleted"
        assert advance(context, endpoint)["judged"] == 3


@pytest.mark.slow
def test_answers_that_never_come_are_given_up_a_day_after_the_expiry(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        del endpoint.files["file-2"]
        assert advance(later(context, hours=43), endpoint)["pending"] == 3
        assert advance(later(context, hours=45), endpoint)["unscored"] == 3
        assert endpoint.files == {}


def test_an_endpoint_without_batches_leaves_the_sessions_to_be_judged_at_once(
    context: Context, sessions: list[str]
) -> None:
    faults = {"POST batches": [failure(404)]}
    with endpoint_of(faults=faults) as endpoint:
        with pytest.raises(ModelError, match="may offer no Batch API"):
            advance(context, endpoint)
        assert endpoint.files == {}
    assert rows(context, "FROM batches") == []
    assert verdicts(context) == []


@pytest.mark.slow
def test_the_client_tries_again_and_what_stays_wrong_is_tried_in_the_next_pass(
    context: Context, sessions: list[str]
) -> None:
    again = [failure(429, retry_after=SOON), failure(500, retry_after=SOON)]
    faults = {
        "POST files": [*again],
        "POST batches": [*again],
        "GET batches/": [*[again[1]] * 3, *again],
        "GET files": [*again],
    }
    with endpoint_of(planned(*[find()] * 3), faults=faults) as endpoint:
        assert advance(context, endpoint, retries=2)["requests_handed_in"] == 3
        endpoint.end()
        assert advance(context, endpoint, retries=2)["batches_not_reached"] == 1
        assert advance(context, endpoint, retries=2)["judged"] == 3


class _LosesTheAnswer(FakeBatches):
    """Makes the batch and says that it failed."""

    def serve(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        answer = super().serve(method, path, body, headers)
        return failure(500) if (method, path) == ("POST", "/v1/batches") else answer


@pytest.mark.slow
def test_an_answer_that_is_lost_leaves_the_batch_to_be_found(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(*[find()] * 3), kind=_LosesTheAnswer) as endpoint:
        with pytest.raises(ModelReplyError):
            advance(context, endpoint)
        assert {row[1] for row in verdicts(context)} == {"pending"}
        assert advance(context, endpoint) == {"batches_found": 1, "pending": 3, "batches_open": 1}
        endpoint.end()
        assert advance(context, endpoint)["judged"] == 3
    assert endpoint.calls.count("POST batches") == 1


@pytest.mark.slow
def test_a_batch_that_was_not_made_is_handed_in_anew(context: Context, sessions: list[str]) -> None:
    faults = {"POST batches": [failure(500)]}
    with endpoint_of(planned(*[find()] * 3), faults=faults) as endpoint:
        with pytest.raises(ModelReplyError):
            advance(context, endpoint)
        assert {row[1] for row in verdicts(context)} == {"pending"}
        assert advance(context, endpoint)["requests_handed_in"] == 3
    assert len(endpoint.batches) == 1


def test_a_second_pass_at_the_same_time_is_refused(context: Context, sessions: list[str]) -> None:
    told = r"signals test \(process \d+\) is judging by a model; wait for it to end"
    with (
        endpoint_of() as endpoint,
        context.judging_alone(),
        pytest.raises(JudgingHeldError, match=told),
    ):
        advance(context, endpoint)


@pytest.mark.slow
def test_what_was_judged_since_it_was_chosen_is_neither_sent_nor_replaced(
    context: Context, sessions: list[str]
) -> None:
    chosen, _ = sessions_for_model(context, judge().identity)
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        advance(context, endpoint)
        before = rows(context, JUDGED)
        with OpenAIBatches(endpoint.base_url, "m", "k", max_retries=0) as client:
            judge_in_batches(context, judge(), client, chosen)
        assert len(endpoint.batches) == 1
    assert rows(context, JUDGED) == before
    failed = [sealed(Judgement(key, judge().identity, status, reason="later"), load(context, name))
              for name, key in rows(context, "SELECT session_id, session_key FROM sessions")
              for status in ("pending", "unscored")]  # fmt: skip
    hashes = dict(chosen.select("session_key", "content_hash").iter_rows())
    with context.warehouse() as connection:
        for one in failed:
            write_judgements(connection, [one], hashes, NOW)
    assert rows(context, JUDGED) == before


@pytest.mark.slow
def test_a_batch_held_for_too_large_is_handed_in_by_halves_one_after_the_other(
    context: Context, sessions: list[str]
) -> None:
    too_large = planned(None, None, None, status="failed", problem="token_limit_exceeded")
    with endpoint_of(too_large, planned(find()), planned(find()), planned(find())) as endpoint:
        advance(context, endpoint)
        endpoint.end()
        assert advance(context, endpoint)["unscored"] == 3
        next_day = later(context, hours=25)
        for left in (2, 1, 0):
            counts = advance(next_day, endpoint)
            assert (counts["requests_handed_in"], counts.get("requests_held_back", 0)) == (1, left)
            assert advance(next_day, endpoint).get("requests_held_back", 0) == left, "still open"
            endpoint.end()
        assert advance(next_day, endpoint)["judged"] == 1
    assert verdicts(context) == [(name, "judged", None, 1) for name in sessions]


@pytest.mark.slow
def test_one_endpoint_written_in_several_ways_is_one_and_its_password_is_not_kept(
    context: Context, sessions: list[str]
) -> None:
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        host = endpoint.base_url.removeprefix("http://")
        chosen, _ = sessions_for_model(context, judge().identity)
        with OpenAIBatches(f"http://me:secret@{host}/", "m", "k", max_retries=0) as client:
            judge_in_batches(context, judge(), client, chosen)
        assert rows(context, "SELECT base_url FROM batches") == [(endpoint.base_url,)]
        assert read_batch_state(context.home).batches[0].base_url == endpoint.base_url
        endpoint.end()
        assert advance(context, endpoint)["judged"] == 3


@pytest.mark.slow
def test_a_changed_judge_gives_up_what_is_pending(context: Context, sessions: list[str]) -> None:
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        advance(context, endpoint)
        with context.warehouse() as connection:
            connection.execute(
                "UPDATE judgements SET prompt_version = '', judgement_id = session_key"
            )
        assert advance(context, endpoint)["pending"] == 6
        endpoint.end()
        advance(context, endpoint)
    assert [row[:2] for row in verdicts(context)] == [(name, "judged") for name in sessions]


def test_the_state_file_names_batches_and_no_text(context: Context, sessions: list[str]) -> None:
    with endpoint_of(planned(*[find()] * 3)) as endpoint:
        advance(context, endpoint)
        url = endpoint.base_url
    (known,) = read_batch_state(context.home).batches
    assert (known.batch_id, known.base_url) == ("batch-1", url)
    assert known.given_up_at == datetime.fromtimestamp(EXPIRY, UTC) + timedelta(days=1)
    path = context.home.state / "batches.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "invoices" not in path.read_text()


@pytest.mark.slow
def test_the_budget_bounds_what_is_handed_in(context: Context, sessions: list[str]) -> None:
    with endpoint_of(planned(find()), planned(find(), find())) as endpoint:
        one = Budget()
        made = judge().judging(load(context, "s1"))
        (request,) = next(made)
        assert one.hold("s1", [request])
        small = Budget(tokens=2.5 * one._estimate(request).tokens)
        counts = advance(context, endpoint, budget=small)
        assert (counts["requests_handed_in"], counts["over_budget"]) == (1, 2)
        assert [row[:2] for row in verdicts(context)] == [("s1", "pending")]
        assert advance(context, endpoint)["requests_handed_in"] == 2


def test_what_no_budget_has_room_for_is_too_long_and_nothing_else(
    context: Context, sessions: list[str]
) -> None:
    budget = Budget(tokens=100)
    with endpoint_of() as endpoint:
        assert advance(context, endpoint, budget=budget) == {"too_long": 3}
    assert len(budget.too_long) == 3


def load(context: Context, name: str) -> Session:
    with context.warehouse() as connection:
        key = query(connection, "SELECT session_key FROM sessions WHERE session_id = ?", [name])
        return load_sessions(connection, key["session_key"].to_list())[0]
