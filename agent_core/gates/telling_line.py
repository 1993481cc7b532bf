"""The line of a check's output that says most."""

from pathlib import Path


def telling_line(output: str, tree: Path) -> str:
    """The first line that names an error, with the tree's own place taken out."""
    lines = [line.strip() for line in output.replace(f"{tree}/", "").splitlines() if line.strip()]
    wanted = ("error", "Error", "FAILED", "would reformat", ": ")
    telling = next((line for word in wanted for line in lines if word in line), None)
    return (telling or (lines[-1] if lines else "it ended without a word"))[:300]
