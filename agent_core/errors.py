"""The exceptions of Signals.

SignalsError                 one clear line: what is wrong, with which thing, and the remedy
├── BadInputError            a path, option or file that a person gave cannot be used
├── NoSessionsError          the files given hold no session
├── NotJudgedError           sessions could not be judged; they are kept as unscored
├── ConfigError              signals.toml is wrong
├── HomeError                the home cannot be used
│   ├── LockHeldError        another process writes to the home
│   │   ├── JudgingHeldError another process pays for verdicts
│   │   └── TaskHeldError    another process works on the patch task
│   └── WarehouseError       the warehouse file is damaged or of a newer version
├── ModelError               a language or embedding model cannot be used
│   └── ModelReplyError      one call to it failed; another may succeed
├── BudgetSpentError         what a run may take is used up; what is left waits for another run
├── SandboxError             no sandbox works here, or a command could not be confined
├── TargetError              the target repository cannot be patched
├── ForgeError               a pull request cannot be opened, updated or looked up
├── DataError                files shipped with Signals do not match their recorded hashes
└── NotBuiltError            a verb whose stage is not built yet
"""


class SignalsError(Exception):
    """Base of every error that a person can act on; its text is one line."""


class BadInputError(SignalsError):
    """A path, option or file that a person gave cannot be used."""


class NoSessionsError(SignalsError):
    """The files that a person gave hold no session; the text says what they are."""


class NotJudgedError(SignalsError):
    """Sessions could not be judged; they are kept as unscored, with their reasons."""


class ConfigError(SignalsError):
    """The configuration is wrong; the text names the key."""


class HomeError(SignalsError):
    """The home directory cannot be used."""


class LockHeldError(HomeError):
    """Another process holds the home's lock; the text names the holder."""


class JudgingHeldError(LockHeldError):
    """Another process judges this home's sessions by a model; the text names it."""


class TaskHeldError(LockHeldError):
    """Another process works on a patch task; the text names both."""


class WarehouseError(HomeError):
    """The warehouse file is damaged, or was written by a newer Signals."""


class ModelError(SignalsError):
    """A language or embedding model cannot be used; the text names endpoint or model."""


class ModelReplyError(ModelError):
    """One call to a model failed (time-out, cut or unreadable answer); another may succeed.

    `tries` of it may have been billed. `is_endpoints`: the endpoint failed, whatever it was asked;
    without it the endpoint refused this very request. `is_late`: no answer came in time.
    """

    def __init__(
        self, words: str, *, tries: int = 1, is_endpoints: bool = False, is_late: bool = False
    ) -> None:
        super().__init__(words)
        self.tries = tries
        self.is_endpoints = is_endpoints
        self.is_late = is_late


class BudgetSpentError(SignalsError):
    """The tokens or minutes of a run are used up; the text says which, and nothing is lost."""


class SandboxError(SignalsError):
    """No sandbox works here, or a command could not be confined."""


class TargetError(SignalsError):
    """The target repository cannot be patched."""


class ForgeError(SignalsError):
    """A pull request cannot be opened, updated or looked up; the text names the repository."""


class DataError(SignalsError):
    """Files shipped with Signals do not match their recorded hashes."""


class NotBuiltError(SignalsError):
    """A verb that exists in the contract but whose stage is not built yet."""
