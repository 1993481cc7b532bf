"""A queue of jobs with priorities."""


class JobQueue:
    def __init__(self):
        self.waiting = []

    def put(self, name, priority=0):
        self.waiting.append((priority, name))

    def take(self):
        priority, name = self.waiting.pop(0)
        return name

    def __len__(self):
        return len(self.waiting)
