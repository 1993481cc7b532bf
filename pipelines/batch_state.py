"""What a sensor may know of open batches: a file in the home's state, without text of sessions."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from agent_core.errors import HomeError
from agent_core.private_files import write_atomically
from pipelines.home import Home


class OpenAtEndpoint(BaseModel):
    """A batch whose answers are not collected, as the endpoint knows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_id: str
    base_url: str
    given_up_at: AwareDatetime
    """From then on nothing is expected of it."""


class OpenBatches(BaseModel):
    """All open batches, the oldest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batches: tuple[OpenAtEndpoint, ...] = ()


def write_batch_state(home: Home, batches: Sequence[OpenAtEndpoint]) -> None:
    """Put the file in place of the one before."""
    state = OpenBatches(batches=tuple(batches))
    write_atomically(_path(home), state.model_dump(mode="json"))


def read_batch_state(home: Home) -> OpenBatches:
    """What was written last; no batch where nothing was. Raises HomeError."""
    path = _path(home)
    try:
        return OpenBatches.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return OpenBatches()
    except (OSError, ValidationError) as error:
        raise HomeError(
            f"{path}: cannot be read; delete it, signals judge --batch writes it anew"
        ) from error


def _path(home: Home) -> Path:
    return home.state / "batches.json"
