"""The configuration: `signals.toml` in the home, validated; unknown keys are refused."""

import difflib
import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from agent_core.errors import ConfigError
from agent_core.forge import ForgeSettings
from agent_core.forge.making import check_github
from agent_core.forge.settings import GITHUB_API, TOKEN_ENV


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a URL such as http://127.0.0.1:8000/v1")
    return url


def _place_below(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith(("/", "~")) or ".." in parts or ".git" in parts:
        raise ValueError(f"{path} is no place below the repository's root")
    return PurePosixPath(path).as_posix()


class SourcesConfig(_Section):
    """Where logs come from."""

    paths: list[Path] = []
    """Read by `signals run` without a path; empty: the known log folders of this user."""
    user: str | None = None
    """The user of logs that name none."""
    exclude: list[str] = []
    """Glob patterns of project folders and log paths that are kept out of everything."""


class SelectConfig(_Section):
    """Which sessions are judged."""

    min_steps: int = Field(default=0, ge=0)
    min_user_turns: int = Field(default=1, ge=0)
    max_tokens: int | None = Field(default=None, gt=0)


class JudgeConfig(_Section):
    """Who judges; a model is used only where this says so or `--judge` does."""

    embeddings: bool = False
    """The rules also know an English wish that is stated again in other words: slower."""
    judge: Literal["rules", "llm", "cascade"] = "rules"
    base_url: Annotated[str, AfterValidator(_endpoint)] = "https://api.openai.com/v1"
    model: str = "gpt-5-mini"
    api_key_env: str = "OPENAI_API_KEY"
    consent: bool = False
    """Send session text to the endpoint without asking (for scheduled runs)."""
    idle_hours: float = Field(default=6.0, ge=0)
    """A model judges a session only when it has been quiet this long."""
    timeout_seconds: float = Field(default=300.0, gt=0)
    """For one answer; one that comes later is not read, and billed all the same."""
    max_output_tokens: int | None = Field(default=16_000, gt=0)
    """Of an answer with the thought before it, where the endpoint takes a limit; not in batches."""
    max_retries: int = Field(default=4, ge=0)
    concurrency: int = Field(default=4, ge=1, le=64)
    """Calls to the model at a time."""
    budget_tokens: int | None = Field(default=None, gt=0)
    """Tokens that a run may send and receive; what it does not reach waits for the next run."""
    budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The same in money, by the price table; needs a price for the model."""
    batch: bool = False
    """Hand requests in through the endpoint's Batch API: answers within a day, often cheaper."""
    audit_share: float = Field(default=0.2, ge=0, le=1)
    """Of the cascade's tokens, the share for sessions drawn at random: they measure the rules."""
    audit_seed: int = 0
    """Another seed draws other sessions; what was measured with the one before is left out."""


class EmbeddingConfig(_Section):
    """The embedding model; without a folder the packaged one."""

    model_dir: Path | None = None


class FacetsConfig(_Section):
    """How many older sessions a run reads for what a new version of the schema asks of them."""

    backfill_sessions: int | None = Field(default=None, gt=0)
    """At most so many; the newest first, the others in later runs."""
    backfill_seconds: float | None = Field(default=60.0, gt=0, allow_inf_nan=False)
    """No further batch of them is begun after so long."""


class EvolutionConfig(_Section):
    """Which proposals become a part of the schema without a person."""

    auto_accept: bool = False
    """Never below the floors of `[thresholds]`, and none that has a figure not measured."""
    min_sessions: int = Field(default=20, ge=1)
    min_users: int = Field(default=1, ge=1)
    min_stability: float = Field(default=0.8, ge=0, le=1)
    """Mean Jaccard similarity over resamples."""
    min_gain: float = Field(default=0.05, ge=0, le=1)
    """On sessions held out."""


class ThresholdsConfig(_Section):
    """When a rise in friction is a breach."""

    min_sessions: int | None = Field(default=None, ge=1)
    min_users: int | None = Field(default=None, ge=1)
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    """Of the breaches of one look, the share that may be false."""
    false_alarms_per_year: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Comparisons with a false alarm that a year of daily looks may bring, of all agents."""
    window_days: int = Field(default=7, ge=1)
    """The last so many days of a release are held against its days before."""
    cooldown_days: int = Field(default=7, ge=0)


class TargetConfig(_Section):
    """The repository that patch tasks work on; without `repo` the checkout Signals runs from.

    With `patchable` it is a foreign target: any agent's prompt and tool files.
    """

    repo: Annotated[Path, AfterValidator(Path.expanduser)] | None = None
    patchable: list[Annotated[str, AfterValidator(_place_below)]] = []
    """Files and folders of the repository that a patch may touch; empty: the bundled core."""
    held_out: list[Annotated[str, AfterValidator(_place_below)]] = []
    """Left out of the copy that the agent works on, such as expected answers of the tests."""
    lint_command: list[str] = []
    """Program and arguments, run in a copy of the patched tree; must end with exit code 0."""
    test_command: list[str] = []
    """The same for the tests."""
    agent: str | None = None
    """Whose sessions show the friction, by the name in the reports: `claude-code`."""
    projects: list[str] = []
    """Glob patterns of the project folders in its logs; empty: the repository's own place."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.patchable and (self.repo is None or self.agent is None):
            missing = "repo" if self.repo is None else "agent"
            raise ValueError(f"a target with patchable files needs {missing} too")
        if not self.patchable and self.model_fields_set - {"repo", "patchable"}:
            raise ValueError("without patchable the target is the bundled core: only repo counts")
        return self


class ForgeConfig(_Section):
    """Where pull requests go. The token is read from the environment, never from here."""

    name: Literal["local", "github"] = "local"
    repository: str | None = None
    """`owner/name`; github needs it."""
    base: str | None = None
    """The branch that is to take the change; without it the repository's default branch."""
    labels: list[str] = []
    reviewers: list[str] = []
    """Names of people, or `organisation/team`."""
    draft: bool = True
    api_url: str = GITHUB_API
    """Of GitHub Enterprise Server: `https://HOST/api/v3`."""
    token_env: str = TOKEN_ENV
    """The environment variable that holds the token."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.name == "github":
            try:
                check_github(self.settings)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self

    @property
    def settings(self) -> ForgeSettings:
        """For the agent core."""
        lists = {"labels": tuple(self.labels), "reviewers": tuple(self.reviewers)}
        return ForgeSettings(**self.model_dump() | lists)


class AgentConfig(_Section):
    """Who drives the bundled agent on patch tasks: a playbook (no key) or the judge's model."""

    policy: Literal["playbook", "model"] = "playbook"
    context_tokens: int = Field(default=60_000, ge=4_000)
    """The model's window, less what its answer takes; a longer conversation is made shorter."""
    task_tokens: int | None = Field(default=None, gt=0)
    """Tokens that one task may send and receive; it then ends with the status `budget`."""
    budget_tokens: int | None = Field(default=None, gt=0)
    """Tokens that the tasks of one `tasks run` may take together; a playbook takes none."""
    budget_minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """After so long no task is begun, and those under way stop before their next phase."""


class TasksConfig(_Section):
    """How long a patch task lives, and when two breaches are one task."""

    expire_days: int = Field(default=30, ge=1)
    """A task that nothing happened to for so long expires; one that is watched never does."""
    same_meaning: float = Field(default=0.8, gt=0, le=1)
    """Cosine similarity from which two descriptions tell of one cause; see docs/tasks.md."""


class PricesConfig(_Section):
    """What the agents' model calls cost where their logs do not say it."""

    file: Path | None = None
    """A price table to use in place of the one that Signals ships; seen from the home."""


class Config(_Section):
    """All of `signals.toml`."""

    mode: Literal["owner", "team"] = "owner"
    sources: SourcesConfig = SourcesConfig()
    select: SelectConfig = SelectConfig()
    judge: JudgeConfig = JudgeConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    facets: FacetsConfig = FacetsConfig()
    evolution: EvolutionConfig = EvolutionConfig()
    thresholds: ThresholdsConfig = ThresholdsConfig()
    target: TargetConfig = TargetConfig()
    forge: ForgeConfig = ForgeConfig()
    agent: AgentConfig = AgentConfig()
    tasks: TasksConfig = TasksConfig()
    prices: PricesConfig = PricesConfig()

    def value_of(self, key: str) -> Any:
        """The value of a dotted key."""
        found: Any = self
        for part in key.split("."):
            found = getattr(found, part)
        return found

    @property
    def min_sessions(self) -> int:
        """The floor of sessions for everything that is published."""
        return self.thresholds.min_sessions or 5

    @property
    def min_users(self) -> int:
        """The floor of distinct users for everything that is published."""
        return self.thresholds.min_users or (1 if self.mode == "owner" else 3)


def load_config(path: Path) -> Config:
    """Read and validate `path`; a missing file is the defaults. Raises ConfigError."""
    if not path.exists():
        return Config()
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
    nearest = difflib.get_close_matches(key, config_keys(), n=1, cutoff=0.3)
    return f"unknown key {key}" + (f"; did you mean {nearest[0]}?" if nearest else "")


def config_keys(model: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Every key of the configuration, dotted, in order."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys += config_keys(section, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def given_keys(path: Path) -> set[str]:
    """The dotted keys that the file at `path` sets; none where it does not exist."""
    if not path.exists():
        return set()
    return set(_dotted(tomllib.loads(path.read_text(encoding="utf-8"))))


def _dotted(table: dict[str, Any], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, value in table.items():
        keys += _dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
    return keys
