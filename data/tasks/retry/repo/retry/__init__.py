from retry.pauses import pauses, repeat

__all__ = ["pauses", "repeat"]
