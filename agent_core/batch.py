"""The Batch API of an OpenAI-compatible endpoint: many requests in one file, answers within a day.

Calls are tried again as any other (agent_core.model_tries). Before that one is which costs money,
`create`, after an answer that was lost, the batch is looked for by its marker, so that nothing is
paid twice. Format: one JSON object a line, see https://developers.openai.com/api/docs/guides/batch.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from agent_core.batch_file import PATH, Answer, plain_code, read_answers, request_line
from agent_core.errors import ModelError, ModelReplyError
from agent_core.model import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_TIMEOUT_SECONDS,
    ChatMessage,
    OpenAIModel,
    ResponseSchema,
    shown_url,
)
from agent_core.model_tries import Tries, may_be_billed

if TYPE_CHECKING:
    from openai.types import Batch

_Came = TypeVar("_Came")
MARKER = "signals_marker"
"""Key of the batch's metadata that holds our own name of it."""

_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_MAYBE_DONE = frozenset({408, 409})
_NO_REFUSAL = frozenset({401, 403, 429}) | _MAYBE_DONE
_LISTED = 10_000
"""Batches or files of the endpoint that are looked through for a marker."""


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
        self.base_url = shown_url(base_url)
        """What batches are known to be at: to be kept, so without user and password."""
        self.uploads_left = 0
        """Uploads that were lost on their way and may be there for good."""
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
        """The id of the uploaded file of requests; there is no other one of that marker."""
        file = (_file_name(marker), b"".join(lines), "application/jsonl")
        files, tries = self._endpoint.client().files, Tries(self._max_retries)
        file_id = self._tried(
            "the file of requests", lambda: files.create(file=file, purpose="batch").id, tries
        )
        if tries.lost and not self.forget_uploads(marker, but=file_id):
            self.uploads_left += 1
        return file_id

    def create(self, marker: str, file_id: str) -> BatchState:
        """Start a batch of an uploaded file.

        After a ModelReplyError it may stand at the endpoint all the same: look with `find`. After
        another ModelError there is none.
        """
        import openai

        may_stand = False

        def created_or_found() -> BatchState:
            nonlocal may_stand
            found = self._unless_unknown(marker, file_id) if may_stand else None
            try:
                return found or self._create(marker, file_id)
            except openai.APIError as error:
                may_stand = may_stand or _may_be_done(error)
                raise

        return self._tried("the batch", created_or_found)

    def find(self, marker: str, file_id: str | None) -> BatchState | None:
        """The batch of that marker or that input file, where the endpoint has one."""

        def found() -> BatchState | None:
            for batch in islice(self._endpoint.client().batches.list(limit=100), _LISTED):
                if (batch.metadata or {}).get(MARKER) == marker or (
                    file_id is not None and batch.input_file_id == file_id
                ):
                    return _state(batch)
            return None

        return self._tried("the list of batches", found)

    def state(self, batch_id: str) -> BatchState | None:
        """What became of a batch; None where the endpoint knows it no more."""
        import openai

        def state() -> BatchState | None:
            try:
                return _state(self._endpoint.client().batches.retrieve(batch_id))
            except openai.NotFoundError:
                return None

        return self._tried("the batch's state", state)

    def answers(self, state: BatchState, *, are_given_up: bool = False) -> dict[str, Answer]:
        """Every answer and every stated failure by custom_id; what is missing got neither.

        Files that the endpoint does not have are waited for (ModelReplyError); with
        `are_given_up` they hold nothing.
        """
        found: dict[str, Answer] = {}
        for file_id in (state.error_file, state.output_file):  # an answer outdoes a failure
            if file_id is not None:
                found.update(read_answers(self._content(file_id, are_given_up=are_given_up)))
        return found

    def forget(self, state: BatchState) -> bool:
        """Delete the batch's files at the endpoint; False where one could not be."""
        files = (state.input_file, state.output_file, state.error_file)
        return all([self._delete(file_id) for file_id in files if file_id])

    def forget_uploads(self, marker: str, *, but: str | None = None) -> bool:
        """Delete the files of requests of that marker; False where one may be left."""

        def found() -> list[str]:
            files = islice(self._endpoint.client().files.list(purpose="batch"), _LISTED)
            return [file.id for file in files if file.filename == _file_name(marker)]

        try:
            uploads = self._tried("the list of files", found)
        except ModelError:
            return False
        return all([self._delete(file_id) for file_id in uploads if file_id != but])

    def cancel(self, batch_id: str) -> bool:
        """Let a batch cost nothing more; False where the endpoint does not say it will."""
        return self._done("the end of the batch", self._endpoint.client().batches.cancel, batch_id)

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

    def _unless_unknown(self, marker: str, file_id: str) -> BatchState | None:
        """As `find`; where it cannot look, nobody knows whether there is a batch."""
        try:
            return self.find(marker, file_id)
        except ModelError as error:
            raise ModelReplyError(str(error)) from error

    def _create(self, marker: str, file_id: str) -> BatchState:
        return _state(
            self._endpoint.client().batches.create(
                input_file_id=file_id,
                endpoint=PATH,
                completion_window="24h",
                metadata={MARKER: marker},
            )
        )

    def _content(self, file_id: str, *, are_given_up: bool) -> bytes:
        import openai

        def content() -> bytes:
            try:
                return self._endpoint.client().files.content(file_id).content
            except openai.NotFoundError as error:
                if are_given_up:
                    return b""  # its requests count as not answered
                raise ModelReplyError(
                    f"{self._endpoint.place} does not have the batch's answers"
                ) from error

        return self._tried("the batch's answers", content)

    def _delete(self, file_id: str) -> bool:
        return self._done("a file's end", self._endpoint.client().files.delete, file_id)

    def _done(self, what: str, call: Callable[[str], object], name: str) -> bool:
        """Whether the endpoint says that it has done so, or that there is no such thing."""
        import openai

        def done() -> None:
            with suppress(openai.NotFoundError):
                call(name)

        try:
            self._tried(what, done)
        except ModelError:
            return False
        return True

    def _tried(self, what: str, call: Callable[[], _Came], tries: Tries | None = None) -> _Came:
        """What `call` returns, after as many tries as are worth it; its errors become ours."""
        import openai

        tries = tries or Tries(self._max_retries)
        try:
            return tries.run(call)
        except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
            # The client does not validate: a body may be of any shape.
            raise self._explained(error, what, tries.retries) from error

    def _explained(self, error: Exception, what: str, retries: int) -> ModelError:
        import openai

        status = error.status_code if isinstance(error, openai.APIStatusError) else None
        if status is not None and 400 <= status < 500 and status not in _NO_REFUSAL:
            return ModelError(
                f"{self._endpoint.place} refused {what} ({status}); it may offer no Batch API: "
                "judge without it ([judge] batch = false)"
            )
        if isinstance(error, openai.OpenAIError):
            return self._endpoint.explained(error, retries)
        return ModelReplyError(f"{self._endpoint.place} sent something else than {what}")


def _file_name(marker: str) -> str:
    """What an upload is called at the endpoint, by which it is found."""
    return f"signals-{marker}.jsonl"


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


def _may_be_done(error: Exception) -> bool:
    """Whether the endpoint may have done what it did not confirm."""
    return may_be_billed(error) or getattr(error, "status_code", None) in _MAYBE_DONE
