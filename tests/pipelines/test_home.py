"""The home: its mode, its salt, its lock between processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent_core.errors import HomeError, LockHeldError
from pipelines.home import Home

_HOLD = """
import sys
from pathlib import Path
from pipelines.home import Home
with Home(Path(sys.argv[1])).prepare().locked("signals run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_the_home_is_for_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    assert oct(home.root.stat().st_mode & 0o777) == "0o700"
    home.salt()
    assert oct((home.state / "salt").stat().st_mode & 0o777) == "0o600"


def test_the_salt_stays_and_differs_between_homes(tmp_path: Path) -> None:
    first, second = (Home(tmp_path / name).prepare() for name in "ab")
    assert first.salt() == first.salt()
    assert first.salt() != second.salt()


def test_a_salt_that_a_kill_left_empty_is_made_anew(tmp_path: Path) -> None:
    home = Home(tmp_path).prepare()
    (home.state / "salt").touch()
    assert len(home.salt()) == 32


def test_a_second_process_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    home = Home(tmp_path).prepare()
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        expected = rf"in use by signals run \(process {holder.pid}\)"
        with pytest.raises(LockHeldError, match=expected), home.locked("me", wait_seconds=0.2):
            pass
        holder.kill()
    with home.locked("me", wait_seconds=5):
        pass


@pytest.mark.parametrize("name", ["lock", "state/judging.lock"])
def test_a_lock_that_cannot_be_taken_is_one_line(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path).prepare()
    (home.root / name).mkdir()
    taken = home.locked("me") if name == "lock" else home.judging_alone("me")
    with pytest.raises(HomeError, match=rf"{name}: cannot be locked \(Is a directory\)"), taken:
        pass


def test_a_home_that_cannot_be_made_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="--home DIR"):
        Home(tmp_path / "file" / "home").prepare()
