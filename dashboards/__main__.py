"""`python -m dashboards SNAPSHOTS [--port N]`: the dashboards on loopback."""

import argparse
import os
import sys
from pathlib import Path

APP = Path(__file__).with_name("app.py")


def main() -> None:
    """Become the Streamlit process, so that a signal to this one stops the server."""
    parser = argparse.ArgumentParser(prog="dashboards", description=__doc__)
    parser.add_argument("snapshots", type=Path, help="folder with the published snapshots")
    parser.add_argument("--port", type=int, default=8501, help="on 127.0.0.1")
    given = parser.parse_args()
    argv = command(given.snapshots, given.port)
    os.execv(argv[0], argv)


def command(snapshots: Path, port: int) -> list[str]:
    """The argument list that serves the app on 127.0.0.1, without a browser or telemetry."""
    return [
        *(sys.executable, "-m", "streamlit", "run", str(APP)),
        *("--server.headless", "true"),
        *("--server.address", "127.0.0.1"),
        *("--server.port", str(port)),
        *("--browser.gatherUsageStats", "false"),
        *("--server.fileWatcherType", "none"),
        *("--client.toolbarMode", "viewer"),
        *("--client.showErrorDetails", "none"),
        "--",
        str(snapshots.absolute()),
    ]


if __name__ == "__main__":
    main()
