"""Utterances with the intents that people gave them."""

import csv
import json
from pathlib import Path


def labelled(labels: Path) -> list[tuple[str, list[str], list[str]]]:
    """(name, texts, intents) of each set below `labels`."""
    with (labels / "B4_dstc11_intents" / "development.jsonl").open(encoding="utf-8") as file:
        dstc = [json.loads(line) for line in file]
    with (labels / "B1_banking77" / "test.csv").open(encoding="utf-8", newline="") as file:
        banking = list(csv.DictReader(file))
    return [
        ("B4 development", [r["utterance"] for r in dstc], [r["intent"] for r in dstc]),
        ("B1 test", [r["text"] for r in banking], [r["category"] for r in banking]),
    ]
