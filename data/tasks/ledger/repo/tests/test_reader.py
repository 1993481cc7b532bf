import unittest

from ledger import balance, parse


class Reader(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(parse("2026-03-01;rent;-900"), ("2026-03-01", "rent", -900))

    def test_a_text_may_hold_semicolons(self):
        self.assertEqual(parse("2026-03-02;tea; milk;-7"), ("2026-03-02", "tea; milk", -7))

    def test_empty_lines_are_skipped(self):
        self.assertEqual(balance(["2026-03-01;pay;50", "", "2026-03-02;tea;-7"]), 43)


if __name__ == "__main__":
    unittest.main()
