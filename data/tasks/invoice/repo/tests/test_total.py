import unittest

from invoice import net, total


class Total(unittest.TestCase):
    def test_net(self):
        self.assertEqual(net([(2, 150), (1, 99)]), 399)

    def test_discount_is_a_percentage(self):
        self.assertEqual(total([(1, 1000)], discount=15), 850)


if __name__ == "__main__":
    unittest.main()
