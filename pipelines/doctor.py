"""What Signals needs and whether it is there."""

import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb

from agent_core.embedding import Embedder
from agent_core.errors import SignalsError, WarehouseError
from agent_core.forge import make_forge
from agent_core.sandbox import find_sandbox
from pipelines.config import Config, load_config
from pipelines.home import Home
from pipelines.judging import is_on_this_machine
from pipelines.known_folders import log_folders
from pipelines.warehouse import open_warehouse

_MIN_FREE_BYTES = 1 << 30


class Finding(NamedTuple):
    """One thing looked at; `broken` makes the doctor fail, `missing` only limits what works."""

    name: str
    state: Literal["ok", "missing", "broken"]
    text: str


def examine(home: Home) -> list[Finding]:
    """Look at everything; nothing is changed but for making the home."""
    prepared = _guarded("home", lambda: f"{home.prepare().root}")
    if prepared.state == "broken":
        return [prepared]
    return [
        prepared,
        Finding("versions", "ok", f"Python {sys.version.split()[0]}, Signals {version('signals')}"),
        _guarded("config", lambda: _config_state(home)),
        _guarded("warehouse", lambda: _warehouse(home)),
        _guarded("embedding", lambda: f"model {Embedder().model_id} matches its recorded hash"),
        _logs(home),
        _git(),
        _sandbox(),
        _key(_config(home)),
        _guarded("forge", lambda: _forge(home)),
        _disk(home),
    ]


def _guarded(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", look())
    except SignalsError as error:
        return Finding(name, "broken", str(error))


def _config_state(home: Home) -> str:
    load_config(home.config)
    return f"{home.config} is valid" if home.config.exists() else f"no {home.config}: the defaults"


def _config(home: Home) -> Config:
    try:
        return load_config(home.config)
    except SignalsError:
        return Config()  # the finding of the configuration itself says what is wrong


def _warehouse(home: Home) -> str:
    if not home.warehouse.exists():
        return "none yet; signals run makes it"
    with home.locked("signals doctor", wait_seconds=5), open_warehouse(home.warehouse) as open_:
        sessions = open_.execute("SELECT count(*) FROM sessions").fetchall()[0][0]
        for (table,) in open_.execute("SHOW TABLES").fetchall():
            _read_whole(open_, table, home.warehouse)
    return f"{home.warehouse} can be read; {sessions} sessions"


def _read_whole(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    try:
        connection.execute(f"SELECT max(hash(t)) FROM {table} AS t").fetchall()
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path}: table {table} is damaged ({str(error).partition(chr(10))[0]}); move the file "
            "away and run again: sessions are read anew from the logs"
        ) from error


def _logs(home: Home) -> Finding:
    try:
        folders = log_folders(_config(home).sources, home.sessions)
    except SignalsError as error:
        return Finding("logs", "missing", str(error))
    gone = [str(folder) for folder in folders if not folder.exists()]
    if gone:
        return Finding("logs", "missing", f"[sources] paths: there is no {', '.join(gone)}")
    return Finding("logs", "ok", f"signals run reads {', '.join(map(str, folders))}")


def _git() -> Finding:
    if path := shutil.which("git"):
        return Finding("git", "ok", path)
    return Finding("git", "missing", "install git: patch tasks need it")


def _sandbox() -> Finding:
    if sandbox := find_sandbox():
        return Finding("sandbox", "ok", f"commands of the agent run under {sandbox.mode}")
    return Finding(
        "sandbox",
        "missing",
        "no sandbox works here, so no pull request is proposed: install bubblewrap "
        "(Debian: apt install bubblewrap) or use a kernel with Landlock",
    )


def _key(config: Config) -> Finding:
    name = config.judge.api_key_env
    if os.environ.get(name):
        return Finding("key", "ok", f"{name} is set; it is used only where a model is asked for")
    if is_on_this_machine(config.judge):
        return Finding("key", "ok", "the model's endpoint is on this machine and needs none")
    return Finding("key", "missing", f"{name} is not set: the rules judge needs none")


def _forge(home: Home) -> str:
    """Where pull requests go; nothing is sent. Raises ConfigError without a token."""
    settings = _config(home).forge.settings
    make_forge(settings, home.root, home.root)
    if settings.name == "local":
        return f"pull requests are files under {home.root / 'pull_requests'}"
    return f"pull requests go to {settings.repository} on {settings.api_url}"


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.root).free
    text = f"{free / (1 << 30):.1f} GiB free under {home.root}"
    return Finding("disk", "ok" if free > _MIN_FREE_BYTES else "missing", text)
