import unittest

from load import load


class Load(unittest.TestCase):
    def test_server(self):
        self.assertEqual(load()["server"], {"host": "localhost", "port": "8080"})

    def test_cache_has_entries(self):
        self.assertIn("entries", load()["cache"])


if __name__ == "__main__":
    unittest.main()
