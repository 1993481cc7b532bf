"""`python -m agent_core.toolkit FOLDER`: loads every tool of a folder and names them."""

import sys
from pathlib import Path

from agent_core.errors import ConfigError
from agent_core.toolkit.registry import TOOLS_FOLDER, load_tools


def main(arguments: list[str]) -> int:
    """0 and the tools' names, or 1 and the line that says which file is wrong."""
    folder = Path(arguments[0]) if arguments else TOOLS_FOLDER
    try:
        tools = load_tools(folder)
    except ConfigError as error:
        print(error)
        return 1
    print(f"{len(tools)} tools load: {', '.join(tools)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
