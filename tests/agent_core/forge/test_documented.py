"""The forge that docs/forges.md shows how to write."""

import re
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ForgeError
from agent_core.forge import Forge, ForgeStatus, PullRequest


def test_the_documented_forge_works(repository: Path, tmp_path: Path) -> None:
    text = (repository / "docs" / "forges.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, "docs/forges.md", "exec"), names)
    forge: Forge = names["FolderForge"](tmp_path)
    branch = "signals/task-1"
    assert (forge.tip(branch, "0" * 40), forge.status(branch)) == (None, ForgeStatus("none"))
    for words in ("first", "second"):
        url = forge.publish(PullRequest("task-1", "Title", branch, "0" * 40, words)).url
    assert Path(url).read_text() == "# Title\n\nsecond\n"
    assert forge.status(branch) == ForgeStatus("open")
    (tmp_path / "task-1" / "closed").write_text("not now")
    assert forge.status(branch) == ForgeStatus("closed", "not now")
    with pytest.raises(ForgeError, match="a person closed it"):
        forge.tip(branch, "0" * 40)
