import time
import unittest

from retry import pauses, repeat


class Flaky:
    def __init__(self, failures):
        self.failures = failures

    def __call__(self):
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        return "served"


class Repeat(unittest.TestCase):
    def test_a_patient_server(self):
        time.sleep(2.1)  # the server takes this long to come up
        self.assertEqual(repeat(Flaky(1), first=0.01), "served")


class Pauses(unittest.TestCase):
    def test_double(self):
        self.assertEqual(pauses(1, 3, 100), [1, 2, 4])

    def test_never_above_the_longest(self):
        self.assertEqual(pauses(1, 5, 6), [1, 2, 4, 6, 6])


if __name__ == "__main__":
    unittest.main()
