import threading
import time
import unittest

from jobs import JobQueue


class Worker(unittest.TestCase):
    def test_a_slow_worker_gets_everything(self):
        queue, taken = JobQueue(), []
        for number in range(3):
            queue.put(str(number))

        def work():
            while len(queue):
                time.sleep(0.7)
                taken.append(queue.take())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual(sorted(taken), ["0", "1", "2"])


class Order(unittest.TestCase):
    def test_high_priority_first(self):
        queue = JobQueue()
        queue.put("low", 1)
        queue.put("high", 9)
        self.assertEqual(queue.take(), "high")

    def test_same_priority_in_order(self):
        queue = JobQueue()
        for name in ("b", "a", "c"):
            queue.put(name, 5)
        self.assertEqual([queue.take() for _ in range(3)], ["b", "a", "c"])


if __name__ == "__main__":
    unittest.main()
