"""Counts the words of a file."""

import argparse
from collections import Counter
from pathlib import Path


def counts(text):
    return Counter(text.lower().split()).most_common()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    for word, count in counts(options.file.read_text()):
        print(f"{count} {word}")


if __name__ == "__main__":
    main()
