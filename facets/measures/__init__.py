"""Quantities of a session's log that may become count facets: one pure function each."""

from facets.measures.measure import Measure
from facets.measures.registry import MEASURES, MEASURES_VERSION, measure_session, whole_value

__all__ = ["MEASURES", "MEASURES_VERSION", "Measure", "measure_session", "whole_value"]
