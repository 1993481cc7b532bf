"""Names for web pages."""

import re


def make_slug(title):
    """Lower case, words joined by dashes."""
    return re.sub(r"[^a-z0-9]", "-", title.lower())
