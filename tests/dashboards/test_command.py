"""How the dashboards are served."""

import sys
from pathlib import Path

from dashboards.__main__ import command


def test_the_app_is_served_on_loopback_without_telemetry(tmp_path: Path, repository: Path) -> None:
    argv = command(tmp_path / "snapshots", 8600)
    head, tail = argv[:5], argv[-2:]
    app = str(repository / "dashboards" / "app.py")
    assert head == [sys.executable, "-m", "streamlit", "run", app]
    assert tail == ["--", str(tmp_path / "snapshots")]
    options = dict(zip(argv[5:-2:2], argv[6:-2:2], strict=True))
    assert options == {
        "--server.headless": "true",
        "--server.address": "127.0.0.1",
        "--server.port": "8600",
        "--browser.gatherUsageStats": "false",
        "--server.fileWatcherType": "none",
        "--client.toolbarMode": "viewer",
        "--client.showErrorDetails": "none",
    }
