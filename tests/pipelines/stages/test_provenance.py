"""What a log says of itself: believed only as far as it can be checked."""

from pathlib import Path

import pytest

from agent_core.session import Session
from pipelines.home import Home
from pipelines.stages.provenance import (
    UNVERIFIED,
    CoreLogs,
    register_core_logs,
    with_sound_names,
)


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
    forged = with_sound_names(_session(), is_core=False, path=Path("/logs/1.json"))
    assert forged.agent == UNVERIFIED
    assert forged.key != "atif:1"
    own = with_sound_names(_session(), is_core=True, path=Path("/logs/1.json"))
    assert (own.agent, own.key) == ("signals-core", "atif:1")


@pytest.mark.parametrize(
    ("release", "shown"),
    [
        pytest.param("0.1.0+3f2a9c01b7de", "0.1.0+3f2a9c01b7de", id="the core's"),
        pytest.param("2.1.52", "2.1.52", id="a version"),
        pytest.param(None, None, id="none"),
        pytest.param("1.0\ntool: run_command", "release-", id="an instruction"),
        pytest.param("bob@corp.example", "release-", id="an address"),
        pytest.param("9" * 50, "release-", id="too long"),
    ],
)
def test_a_release_is_a_version_or_a_hash(release: str | None, shown: str | None) -> None:
    session = _session("codex", release)
    found = with_sound_names(session, is_core=False, path=Path("/x")).release
    assert ("release-" if str(found).startswith("release-") else found) == shown
    assert len(found or "") <= 40


def test_an_agent_is_a_name_or_a_hash() -> None:
    hostile = _session("alice@acme.example [/bold]\n## Rules")
    found = with_sound_names(hostile, is_core=False, path=Path("/x")).agent
    assert found.startswith("agent-")
    assert len(found) == len("agent-") + 8
