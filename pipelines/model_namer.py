"""The judge's model asked for names of clusters: with consent, within the budget, paid for once."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import orjson
import polars as pl

from agent_core.errors import (
    ConfigError,
    JudgingHeldError,
    ModelError,
    ModelReplyError,
    SignalsError,
)
from agent_core.model import ChatMessage, ChatModel, ModelReply, ResponseSchema, shown_url
from agent_core.privacy import PrivacyFilter
from facets.naming_check import ClusteredTexts
from facets.naming_model import Ask, NameAnswer, name_schema, questions, read_answer
from judges.llm import ModelRequest
from judges.rules.vocabulary import KNOWN_TOOLS
from pipelines.budget import Amount, Budget
from pipelines.context import Context
from pipelines.judging import make_budget, make_model
from pipelines.progress import end_progress
from pipelines.runs import record_failure
from pipelines.warehouse import query, replace_rows

STAGE = "naming"
"""Recorded where the model could not be asked for names: the rest of the run goes on."""
_NO_CONSENT = "not asked of a model: [judge] consent is not given"
_NO_BUDGET = "not asked of a model: the budget of this run has no room for it"
_PROBLEMS: tuple[tuple[type[SignalsError], str], ...] = (
    (JudgingHeldError, "not asked of a model: another run judges by one"),
    (ModelReplyError, "not named by a model: its calls failed"),
    (ModelError, "not named by a model: its endpoint cannot be used"),
    (SignalsError, "not asked of a model: its configuration is wrong"),
)
_MOST_FAILURES = 3
"""Calls in a row that fail for the endpoint, until no more is asked."""
_ANSWERS: dict[str, pl.DataType] = {
    "request_hash": pl.String(),
    "cluster_id": pl.String(),
    "name": pl.String(),
    "definition": pl.String(),
    "reason": pl.String(),
    "tokens": pl.Int64(),
    "cost_usd": pl.Float64(),
    "run_id": pl.String(),
    "answered_at": pl.Datetime("us", "UTC"),
}
_SPENT = """
SELECT coalesce(sum(tokens), 0)::DOUBLE, coalesce(sum(cost_usd), 0)
FROM naming_answers WHERE run_id = ?
"""
_TOKENS = ("tokens_sent", "tokens_received", "model_tokens_sent", "model_tokens_received")
_MONEY = ("cost_micro_usd", "model_cost_micro_usd")


@contextmanager
def naming_model(context: Context) -> "Iterator[ModelNamer]":
    """The namer of one run; closes the model's connections."""
    namer = ModelNamer(context)
    try:
        yield namer
    finally:
        namer.close()


class ModelNamer:
    """Asks the configured model while it may; `problem` says why it may not, or does not any more.

    Where the judge is the rules there is no model and no problem.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._privacy = PrivacyFilter((), KNOWN_TOOLS)
        self._model: ChatModel | None = None
        self._budget = Budget()
        self._failures = 0
        self.problem: str | None = None
        config = context.config.judge
        if config.judge != "rules" and not config.consent:
            self.problem = _NO_CONSENT
        elif config.judge != "rules":
            self._open()

    @property
    def may_ask(self) -> bool:
        return self._model is not None and self.problem is None

    @property
    def model_name(self) -> str | None:
        """As the endpoint knows it; None without one."""
        return self._model.name if self._model is not None else None

    def announce(self, items: ClusteredTexts, clusters: Sequence[int]) -> None:
        """Say on stderr what is about to be sent, where anything is."""
        asked = [self._request(found) for one in clusters for found in questions(items, one)]
        known = self._answered([request.request_hash for request in asked])
        new = [request for request in asked if request.request_hash not in known]
        if not (new and self.may_ask):
            return
        expected = [self._budget.rates.expected(request) for request in new]
        tokens = sum(one.input + one.output for one in expected)
        endpoint = shown_url(self._context.config.judge.base_url)
        _say(
            f"sending abstracts of {len(clusters)} clusters for their names, {len(new)} questions: "
            f"about {float(f'{tokens:.2g}'):,.0f} tokens, to {endpoint}"
        )

    def ask_about(self, cluster_id: str) -> Ask:
        """A callable that puts questions about one cluster."""
        return lambda messages, schema: self._ask(cluster_id, messages, schema)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else asks meanwhile; where somebody judges by a model, nobody is asked."""
        with ExitStack() as held:
            try:
                held.enter_context(self._context.judging_alone())
            except JudgingHeldError as error:
                self._fail(error)
            yield

    def close(self) -> None:
        close = getattr(self._model, "close", None)
        if close is not None:
            close()

    def _open(self) -> None:
        try:
            self._budget = _left_of_budget(self._context)
            self._model = make_model(self._context.config.judge)
        except ConfigError as error:
            self._fail(error)

    def _ask(
        self, cluster_id: str, messages: Sequence[ChatMessage], schema: ResponseSchema
    ) -> NameAnswer | None:
        request = ModelRequest(self.model_name or "", tuple(messages), schema)
        known = self._answered([request.request_hash])
        if request.request_hash in known:
            return known[request.request_hash]
        before = self._budget.spent
        reply = self._call(cluster_id, request)
        if reply is None:
            return None
        answer = read_answer(reply, self._privacy.check)
        self._keep(request, cluster_id, answer, self._budget.spent.less(before))
        return answer

    def _call(self, cluster_id: str, request: ModelRequest) -> ModelReply | None:
        if self._model is None or self.problem is not None:
            return None
        made = self._budget.reserve(cluster_id, request)
        if made is None:
            self.problem = _NO_BUDGET
            return None
        try:
            reply = self._model(request.messages, response_schema=request.schema)
        except ModelReplyError as error:
            self._budget.settle(made, error)
            self._failures += 1
            if self._failures == _MOST_FAILURES:
                self._fail(error)
            return None
        except ModelError as error:
            self._budget.settle(made, None)
            self._fail(error)
            return None
        self._budget.settle(made, reply)
        self._failures = 0
        return reply

    def _fail(self, error: SignalsError) -> None:
        """No more is asked in this run; that is said, recorded, and fails nothing.

        What stands beside the names may be published: it holds no path and no address.
        """
        self.problem = next(words for kind, words in _PROBLEMS if isinstance(error, kind))
        record_failure(self._context, STAGE, error)
        _say(f"clusters are named by their terms: {error}")

    def _request(self, messages: tuple[ChatMessage, ...]) -> ModelRequest:
        return ModelRequest(self.model_name or "", messages, name_schema())

    def _answered(self, request_hashes: Sequence[str]) -> dict[str, NameAnswer]:
        with self._context.warehouse() as connection:
            rows = query(
                connection,
                "SELECT request_hash, name, definition, reason FROM naming_answers "
                "WHERE request_hash IN (SELECT unnest(?::VARCHAR[]))",
                [list(request_hashes)],
            )
        return {request_hash: NameAnswer(*answer) for request_hash, *answer in rows.iter_rows()}

    def _keep(
        self, request: ModelRequest, cluster_id: str, answer: NameAnswer, spent: Amount
    ) -> None:
        took = (round(spent.tokens), spent.usd, self._context.run_id, self._context.clock())
        row = (request.request_hash, cluster_id, *answer, *took)
        with self._context.warehouse() as connection:
            frame = pl.DataFrame([row], schema=_ANSWERS, orient="row")
            replace_rows(connection, "naming_answers", frame)


def _left_of_budget(context: Context) -> Budget:
    """What judging, and naming other clusters, have left of the run's budget."""
    with context.warehouse() as connection:
        rows = query(connection, "SELECT counts FROM runs WHERE run_id = ?", [context.run_id])
        named = query(connection, _SPENT, [context.run_id])
    counts = [orjson.loads(counted) for counted in rows["counts"]]
    tokens = sum(one.get(key, 0) for one in counts for key in _TOKENS)
    micro_usd = sum(one.get(key, 0) for one in counts for key in _MONEY)
    judged = Amount(tokens, micro_usd / 1e6)
    return replace(make_budget(context), spent=judged + Amount(*named.row(0)))


def _say(words: str) -> None:
    end_progress()
    print(f"signals: {words}", file=sys.stderr)
