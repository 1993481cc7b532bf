from ledger.reader import balance, parse

__all__ = ["balance", "parse"]
