"""What a log says of itself: believed only as far as it can be checked."""

from dataclasses import replace
from pathlib import Path

from agent_core.session import Session
from pipelines.home import Home
from pipelines.stages.provenance import (
    UNVERIFIED,
    CoreLogs,
    register_core_logs,
    with_sound_names,
)

_CORE = CoreLogs(Path("/nowhere"), frozenset(), b"salt")


def _session(agent: str = "signals-core", release: str | None = None) -> Session:
    return Session("atif:1", "atif", "1", "/logs/1.json", (), agent=agent, release=release)


def test_the_cores_own_logs_are_told_by_place_or_registered_hash(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    register_core_logs(home, ["aa"])
    register_core_logs(home, ["bb"])
    known = CoreLogs.of(home)
    assert known.hold(home.sessions / "1.json", None)
    assert known.hold(tmp_path / "elsewhere.json", "aa")
    assert known.hold(tmp_path / "elsewhere.json", "bb")
    assert not known.hold(tmp_path / "elsewhere.json", "cc")
    assert not known.hold(home.sessions / ".." / "inbox" / "1.json", None)


def test_a_claim_to_be_the_core_gets_another_agent_and_key() -> None:
    forged = with_sound_names(_session(), _CORE, is_core=False, path=Path("/logs/1.json"))
    assert forged.agent == UNVERIFIED
    assert forged.key != "atif:1"
    own = with_sound_names(_session(), _CORE, is_core=True, path=Path("/logs/1.json"))
    assert (own.agent, own.key) == ("signals-core", "atif:1")


def test_equal_names_stay_equal_and_say_nothing() -> None:
    session = replace(
        _session("Brindlecorp helper", "brindle-7"),
        agent_version="brindle-7",
        conversion_of=("Brindlecorp helper", "s1"),
    )
    found = with_sound_names(session, _CORE, is_core=False, path=Path("/x"))
    assert found.conversion_of == (found.agent, "s1")
    assert found.agent_version == found.release
    assert "brindle" not in f"{found.agent} {found.release}".casefold()
    other = CoreLogs(Path("/nowhere"), frozenset(), b"pepper")
    assert with_sound_names(session, other, is_core=False, path=Path("/x")).agent != found.agent
