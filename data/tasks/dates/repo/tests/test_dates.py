import unittest
from datetime import date

from dates import working_days


class WorkingDays(unittest.TestCase):
    def test_a_week(self):
        self.assertEqual(working_days(date(2026, 3, 2), date(2026, 3, 8)), 5)

    def test_one_day(self):
        self.assertEqual(working_days(date(2026, 3, 2), date(2026, 3, 2)), 1)

    def test_friday_to_monday(self):
        self.assertEqual(working_days(date(2026, 3, 6), date(2026, 3, 9)), 2)


if __name__ == "__main__":
    unittest.main()
