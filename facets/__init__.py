"""Facets: the typed, versioned schema of what is known about a session, and its evolution."""
