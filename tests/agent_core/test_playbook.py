"""Playbooks as files."""

import pytest

from agent_core.errors import ConfigError
from agent_core.playbook import PLAYBOOKS_FOLDER, load_playbooks, parse_playbook


def test_the_bundled_ones_load_and_say_when_they_apply() -> None:
    playbooks = load_playbooks()
    assert {p.front.name for p in playbooks} >= {"raise_limit", "actionable_error"}
    assert {p.front.name for p in playbooks} == {p.stem for p in PLAYBOOKS_FOLDER.glob("*.md")}
    assert [p.front.rank for p in playbooks] == sorted(p.front.rank for p in playbooks)
    for playbook in playbooks:
        assert playbook.front.acceptance
        assert playbook.text
        assert [subtask.status for subtask in playbook.plan()] == ["open"] * len(playbook.plan())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("+++\nname", "name", "x.md does not begin with front matter", id="no fence"),
        pytest.param('name = "', 'nom = "', "x.md: ", id="unknown key"),
        pytest.param("factor = 10", "factor = 1", "x.md: remedy.raise_limit.limits", id="factor"),
        pytest.param("factor = 10", "factor", "x.md: the front matter is no valid TOML", id="toml"),
        pytest.param('kind = "raise_limit"', 'kind = "pray"', "x.md: remedy", id="kind"),
    ],
)
def test_a_wrong_one_names_file_and_key(old: str, new: str, message: str) -> None:
    text = (PLAYBOOKS_FOLDER / "raise_limit.md").read_text()
    assert old in text
    with pytest.raises(ConfigError) as caught:
        parse_playbook("x.md", text.replace(old, new, 1))
    assert str(caught.value).startswith(message)
