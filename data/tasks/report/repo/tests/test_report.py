import unittest

from report import counts


class Report(unittest.TestCase):
    def test_counts(self):
        self.assertEqual(counts("tea milk Tea"), [("tea", 2), ("milk", 1)])


if __name__ == "__main__":
    unittest.main()
