"""What a run is expected to take, said before anything is sent."""

from math import inf

import pytest

from judges.llm import LLMJudge
from pipelines.budget import Budget
from pipelines.context import Context
from pipelines.run_estimate import RunEstimate, estimate_run
from pipelines.stages.ingest import ingest
from pipelines.stages.judgement_rows import load_unchanged
from pipelines.stages.model_judgements import sessions_for_model
from pipelines.stages.sessions import summarise_sessions
from pipelines.token_rates import BYTES_PER_TOKEN, RECEIVED_A_CALL, request_bytes
from tests.judges.nobody import Nobody
from tests.pipelines.claude_log import answered, said, write_log


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (
            RunEstimate(1, 4_472, None),
            "the text of 1 session: about 4,500 tokens, at a price unknown to the price table",
        ),
        (
            RunEstimate(1_234, 3_456_789, 1.2345, 500_000.0, 0.5),
            "the text of 1,234 sessions: about 3,500,000 tokens, about 1.2 USD by list price, "
            "at most 500,000 tokens and 0.5 USD",
        ),
        (
            RunEstimate(2, 9_999, 0.00123, inf, 2),
            "the text of 2 sessions: about 10,000 tokens, about 0.0012 USD by list price, "
            "at most 2 USD",
        ),
    ],
    ids=["no price", "both limits", "money"],
)
def test_in_words(estimate: RunEstimate, words: str) -> None:
    assert estimate.words() == words


@pytest.mark.slow
def test_the_estimate_is_near_to_what_the_judge_would_send(context: Context) -> None:
    """Within a tenth of the first requests, of which half are sent once more for verification."""
    log = write_log(
        context.home.root.parent / "a.jsonl",
        *(
            record
            for turn in range(35)
            for record in (
                said("s", f"u{turn}", turn, f"Take {turn} again. " * 300),
                answered("s", f"a{turn}", turn, "Done, 日本 too. " * 20),
            )
        ),
    )
    ingest(context, [log])
    summarise_sessions(context)
    judge = LLMJudge(Nobody(), salt=b"salt")
    waiting, _ = sessions_for_model(context, judge.identity)
    estimate = estimate_run(context, waiting, Budget())
    with context.warehouse() as connection:
        (session,) = load_unchanged(connection, waiting)
    requests = next(judge.judging(session))
    assert len(requests) == 2
    sent = sum(request_bytes(request) for request in requests) / BYTES_PER_TOKEN
    expected = 1.5 * (sent + 2 * RECEIVED_A_CALL)
    assert estimate.sessions == 1
    assert estimate.tokens == pytest.approx(expected, rel=0.1)
