"""The Batch API of an OpenAI-compatible endpoint: many requests in one file, answers within a day.

Retries are the client's own (429 with its Retry-After, 5xx, broken connections), but for the one
call that costs money: before `create` is tried again after an answer that was lost, the batch is
looked for by its marker, so that nothing is paid twice. Format: one JSON object a line, see
https://developers.openai.com/api/docs/guides/batch.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

from agent_core.batch_file import PATH, Answer, plain_code, read_answers, request_line
from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_TIMEOUT_SECONDS,
    ChatMessage,
    OpenAIModel,
    ResponseSchema,
)

if TYPE_CHECKING:
    from openai.types import Batch

MARKER = "signals_marker"
"""Key of the batch's metadata that holds our own name of it."""

_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_MAYBE_DONE = frozenset({408, 409})
_NO_REFUSAL = frozenset({401, 403, 429}) | _MAYBE_DONE
_LISTED = 10_000
"""Batches of the endpoint that are looked through for a marker."""
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _LONGEST_RETRY_AFTER = 0.5, 8.0, 120.0


@dataclass(frozen=True, slots=True)
class BatchState:
    """What the endpoint says of a batch."""

    batch_id: str
    status: str
    expires_at: datetime | None
    input_file: str
    output_file: str | None = None
    error_file: str | None = None
    problem: str | None = None
    """Code of the error that the whole batch failed with."""

    @property
    def is_over(self) -> bool:
        """Whether no further answers will come; there may be some all the same."""
        return self.status in _OVER


class OpenAIBatches:
    """The batches of one model behind one endpoint.

    Raises ModelError where the endpoint cannot be used or refuses, ModelReplyError where a call
    failed and a later one may not. The key is as for OpenAIModel.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str = "",
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        max_retries: int = DEFAULT_MAX_RETRIES,
    ) -> None:
        self.base_url = plain_url(base_url)
        """What batches are known to be at: to be kept, so without user and password."""
        self._max_retries = max_retries
        self._endpoint = OpenAIModel(
            base_url, model, api_key, timeout=timeout, max_retries=max_retries
        )

    @property
    def model(self) -> str:
        """The model's name as the endpoint knows it."""
        return self._endpoint.name

    def line(
        self, custom_id: str, messages: Sequence[ChatMessage], schema: ResponseSchema | None
    ) -> bytes:
        """One request of a batch file, with its line end."""
        return request_line(custom_id, self.model, messages, schema)

    def upload(self, marker: str, lines: Iterable[bytes]) -> str:
        """The id of the uploaded file of requests."""
        file = (f"signals-{marker}.jsonl", b"".join(lines), "application/jsonl")
        with self._errors("the file of requests"):
            return self._endpoint.client().files.create(file=file, purpose="batch").id

    def create(self, marker: str, file_id: str) -> BatchState:
        """Start a batch of an uploaded file.

        After a ModelReplyError it may stand at the endpoint all the same: look with `find`. After
        another ModelError there is none.
        """
        with self._errors("the batch"):
            for attempt in range(self._max_retries):
                state = self._created_or_found(marker, file_id, attempt)
                if state is not None:
                    return state
            return self._create(marker, file_id)

    def find(self, marker: str, file_id: str | None) -> BatchState | None:
        """The batch of that marker or that input file, where the endpoint has one."""
        with self._errors("the list of batches"):
            batches = islice(self._endpoint.client().batches.list(limit=100), _LISTED)
            for batch in batches:
                if (batch.metadata or {}).get(MARKER) == marker or (
                    file_id is not None and batch.input_file_id == file_id
                ):
                    return _state(batch)
        return None

    def state(self, batch_id: str) -> BatchState | None:
        """What became of a batch; None where the endpoint knows it no more."""
        import openai

        with self._errors("the batch's state"):
            try:
                return _state(self._endpoint.client().batches.retrieve(batch_id))
            except openai.NotFoundError:
                return None

    def answers(self, state: BatchState) -> dict[str, Answer]:
        """Every answer and every stated failure by custom_id; what is missing got neither."""
        found: dict[str, Answer] = {}
        for file_id in (state.error_file, state.output_file):  # an answer outdoes a failure
            if file_id is not None:
                found.update(read_answers(self._content(file_id)))
        return found

    def forget(self, state: BatchState) -> bool:
        """Delete the batch's files at the endpoint; False where one could not be."""
        files = (state.input_file, state.output_file, state.error_file)
        return all([self._delete(file_id) for file_id in files if file_id])

    def cancel(self, batch_id: str) -> bool:
        """Let a batch cost nothing more; False where the endpoint does not say it will."""
        import openai

        try:
            self._endpoint.client().batches.cancel(batch_id)
        except openai.NotFoundError:
            return True
        except (openai.OpenAIError, ValueError):
            return False
        return True

    def close(self) -> None:
        """Closes the connections; the next call opens new ones."""
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _created_or_found(self, marker: str, file_id: str, attempt: int) -> BatchState | None:
        """The batch, or None where there is none yet and another attempt is worth it."""
        import openai

        try:
            return self._create(marker, file_id)
        except (openai.APIConnectionError, openai.APIStatusError) as error:
            if not _is_worth_another(error):
                raise
            time.sleep(_pause(error, attempt))
            return self._unless_unknown(marker, file_id) if _was_lost(error) else None

    def _unless_unknown(self, marker: str, file_id: str) -> BatchState | None:
        """As `find`; where it cannot look, nobody knows whether there is a batch."""
        try:
            return self.find(marker, file_id)
        except ModelError as error:
            raise ModelReplyError(str(error)) from error

    def _create(self, marker: str, file_id: str) -> BatchState:
        client = self._endpoint.client().with_options(max_retries=0)
        return _state(
            client.batches.create(
                input_file_id=file_id,
                endpoint=PATH,
                completion_window="24h",
                metadata={MARKER: marker},
            )
        )

    def _content(self, file_id: str) -> bytes:
        import openai

        with self._errors("the batch's answers"):
            try:
                return self._endpoint.client().files.content(file_id).content
            except openai.NotFoundError:
                return b""  # kept no longer: its requests count as not answered

    def _delete(self, file_id: str) -> bool:
        import openai

        try:
            self._endpoint.client().files.delete(file_id)
        except openai.NotFoundError:
            return True
        except (openai.OpenAIError, ValueError):
            return False
        return True

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turns errors of the client, and bodies of another shape, into ours."""
        import openai

        try:
            yield
        except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
            raise self._explained(error, what) from error

    def _explained(self, error: Exception, what: str) -> ModelError:
        import openai

        status = error.status_code if isinstance(error, openai.APIStatusError) else None
        if status is not None and 400 <= status < 500 and status not in _NO_REFUSAL:
            return ModelError(
                f"{self._endpoint.place} refused {what} ({status}); it may offer no Batch API: "
                "judge without it ([judge] batch = false)"
            )
        if isinstance(error, openai.OpenAIError):
            return self._endpoint.explained(error)
        return ModelReplyError(f"{self._endpoint.place} sent something else than {what}")


def plain_url(base_url: str) -> str:
    """The same for all ways to write one endpoint: no user, password, query or last slash."""
    parts = urlsplit(base_url)
    place = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))


def _state(batch: "Batch") -> BatchState:
    if not (isinstance(batch.id, str) and isinstance(batch.status, str)):
        raise TypeError("no batch")  # the client does not validate
    errors = batch.errors.data if batch.errors is not None else None
    return BatchState(
        batch.id,
        batch.status,
        datetime.fromtimestamp(batch.expires_at, UTC) if batch.expires_at else None,
        batch.input_file_id,
        batch.output_file_id,
        batch.error_file_id,
        plain_code(errors[0].code) if errors else None,
    )


def _was_lost(error: Exception) -> bool:
    """Whether the endpoint may have done what it did not confirm."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return error.status_code in _MAYBE_DONE or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def _is_worth_another(error: Exception) -> bool:
    import openai

    if not isinstance(error, openai.APIStatusError):
        return True
    if error.response.headers.get("x-should-retry") == "false":
        return False
    return error.status_code == 429 or _was_lost(error)


def _pause(error: Exception, attempt: int) -> float:
    """Seconds: what the endpoint asks for, else twice as long each time."""
    import openai

    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    try:
        asked = float(headers.get("retry-after", ""))
    except ValueError:
        asked = 0.0
    if 0 < asked <= _LONGEST_RETRY_AFTER:
        return asked
    return float(min(_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS))
