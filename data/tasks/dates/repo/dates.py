"""Working days."""

from datetime import timedelta


def working_days(start, end):
    """Days from Monday to Friday, both ends counted."""
    days = (end - start).days
    return sum((start + timedelta(days=n)).weekday() < 5 for n in range(days))
