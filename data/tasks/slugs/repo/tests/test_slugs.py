import unittest

import slugs


class Slugs(unittest.TestCase):
    def make(self, title):
        return getattr(slugs, "slugify", getattr(slugs, "make_slug", None))(title)

    def test_runs_of_other_characters_are_one_dash(self):
        self.assertEqual(self.make("Tea & Milk"), "tea-milk")

    def test_no_dash_at_the_ends(self):
        self.assertEqual(self.make("Why?"), "why")


if __name__ == "__main__":
    unittest.main()
