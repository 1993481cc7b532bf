"""Which open batches have ended: asked of the endpoint, without the warehouse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent_core.batch import OpenAIBatches
from agent_core.errors import ModelReplyError, SignalsError
from agent_core.model import shown_url
from pipelines.batch_state import OpenAtEndpoint, read_batch_state
from pipelines.config import JudgeConfig, load_config
from pipelines.home import Home
from pipelines.judging import api_key

CALL_SECONDS = 5.0
POLL_SECONDS = 30.0
"""Dagster gives a sensor a minute."""


@dataclass(frozen=True, slots=True)
class Polled:
    """`ended` names each batch that is over with its state; `words` say how the others are."""

    ended: tuple[str, ...]
    words: str


def poll_batches(home: Home, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Polled:
    """Ask for the state of each open batch: one short call each, within POLL_SECONDS.

    Never raises for what an endpoint, a configuration or a file holds: that becomes the words.
    """
    try:
        batches = read_batch_state(home).batches
        if not batches:
            return Polled((), "no batch is open")
        return _poll(load_config(home.config).judge, batches, clock)
    except SignalsError as error:
        return Polled((), str(error))


def _poll(
    config: JudgeConfig, batches: Sequence[OpenAtEndpoint], clock: Callable[[], datetime]
) -> Polled:
    if config.judge == "rules" or not config.consent:
        return Polled((), f"{len(batches)} batches are open: signals judge --batch collects them; "
                      "so does a run where [judge] says judge and consent")  # fmt: skip
    started, ended, problems = clock(), [], []
    with OpenAIBatches(config.base_url, config.model, api_key(config), timeout=CALL_SECONDS,
                       max_retries=0) as endpoint:  # fmt: skip
        for batch in batches:
            if clock() - started > timedelta(seconds=POLL_SECONDS):
                problems.append("the endpoint is slow")
                break
            try:
                ended += _end_of(batch, endpoint, clock())
            except SignalsError as error:
                problems.append(str(error))
    words = [f"{len(batches) - len(ended)} of {len(batches)} batches have not ended", *problems]
    return Polled(tuple(ended), "; ".join(dict.fromkeys(words)))


def _end_of(batch: OpenAtEndpoint, endpoint: OpenAIBatches, now: datetime) -> list[str]:
    if now > batch.given_up_at:
        return [f"{batch.batch_id} given up"]
    if shown_url(batch.base_url) != endpoint.base_url:
        return []
    state = endpoint.state(batch.batch_id)
    if state is None:
        raise ModelReplyError(f"the endpoint does not know {batch.batch_id}, which is waited for")
    return [f"{batch.batch_id} {state.status}"] if state.is_over else []
