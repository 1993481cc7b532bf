from slugs.make import make_slug

__all__ = ["make_slug"]
