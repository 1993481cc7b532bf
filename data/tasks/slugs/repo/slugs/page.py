"""Places of pages."""

from slugs.make import make_slug


def place(section, title):
    return f"/{section}/{make_slug(title)}/"
