from jobs.queue import JobQueue

__all__ = ["JobQueue"]
