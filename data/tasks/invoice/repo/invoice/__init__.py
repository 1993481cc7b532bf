from invoice.total import net, total

__all__ = ["net", "total"]
