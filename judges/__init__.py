"""Judges: a session goes in, a judgement with its moments comes out."""
