"""What is asked of the agent in the benchmark of self-repair, and the workspace it is asked in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["read", "edit", "find", "list", "run", "write"]

PARTS = 30
_TOTAL = (
    "def net(lines):\n\tamount = 0  \n\tfor quantity, price in lines:\n"
    "\t\tamount -= quantity * price\n\treturn amount\n\n\n"
    "def reduced(amount, discount):\n\treturn amount - discount\n\n\n"
    "def shown(amount):\n\treturn str(amount)\n"
)
_TEST = """import unittest
from shop.total import net, reduced, shown


class Total(unittest.TestCase):
    def test_all(self):
        self.assertEqual(net([(2, 50)]), 100)
        self.assertEqual(reduced(100, 10), 90)
        self.assertEqual(shown(100), "1.00")
"""
_SLOW = """import time
import unittest


class Slow(unittest.TestCase):
    def test_slow(self):
        time.sleep(1.3)


class Quick(unittest.TestCase):
    def test_quick(self):
        pass
"""
_SETTINGS = "[server]\nhost = localhost\nport = 8080\n\n[cache]\nseconds = 60\nentries = 500\n"


@dataclass(frozen=True, slots=True)
class Want:
    """One thing to get done with one tool; which arguments it takes is the model's affair."""

    kind: Kind
    path: str = ""
    guess: str = ""
    """Where a model of poor memory looks first."""
    text: str = ""
    """What it remembers of the text to replace, looks for, runs or writes."""
    new: str = ""
    sees: str = ""
    """What it expects in a result that serves."""
    quick: str = ""
    """A smaller command for the same."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request, what it takes, and how the person checks it."""

    name: str
    request: str
    path: str
    wants: tuple[Want, ...]
    checker: str
    """A shell command; exit code 0 = met."""
    fact: str = ""
    """What the answer must hold."""


def workspace(code: int) -> dict[str, str]:
    """Path → text; `code` is what the log reports."""
    log = [f"{n:04} step of the build finished with nothing to report about it" for n in range(420)]
    log[400] = f"0400 deploy code {code} was issued"
    parts = {
        _part(n): (f"def handler(order_{n}):\n    return order_{n} + {n}\n") for n in range(PARTS)
    }
    return {
        "shop/__init__.py": "",
        "shop/total.py": _TOTAL,
        "server/settings.ini": _SETTINGS,
        "tests/__init__.py": "",
        "tests/test_total.py": _TEST,
        "tests/test_slow.py": _SLOW,
        "logs/build.log": "\n".join(log) + "\n",
        **parts,
    }


def _part(number: int) -> str:
    return f"parts/group_{number % 9}/handlers_of_incoming_orders_{number:03}.py"


def _totals(code: int) -> Job:
    path = "shop/total.py"
    edits = (
        ("        amount -= quantity * price\n", "        amount += quantity * price\n"),
        ("    return amount - discount\n", "    return amount - amount * discount // 100\n"),
        ("    return str(amount)\n", '    return f"{amount / 100:.2f}"\n'),
    )
    return Job(
        "totals",
        "the tests of the shop fail: net() must add, discounts are a percentage, amounts are cents",
        path,
        (
            Want("list", "shop", sees="total.py"),
            Want("read", path, guess="total.py", sees="def net"),
            *(Want("edit", path, guess="total.py", text=old, new=new) for old, new in edits),
            Want("run", text="python -m unittest -q tests.test_total", sees="OK"),
        ),
        "python -m unittest -q tests.test_total",
    )


def _settings(code: int) -> Job:
    path = "server/settings.ini"
    edits = (("port = 8080\n", "port = 9090\n"), ("seconds = 60\n", "seconds = 300\n"))
    return Job(
        "settings",
        "please set the port of the server to 9090 and keep the cache for 300 seconds",
        path,
        (
            Want("find", text="port = ", sees=path),
            Want("read", path, guess="settings.ini", sees="[server]"),
            *(Want("edit", path, guess="settings.ini", text=old, new=new) for old, new in edits),
            Want("run", text="grep -c = server/settings.ini", sees="4"),
        ),
        "grep -q 'port = 9090' server/settings.ini && grep -q 'seconds = 300' server/settings.ini",
    )


def _survey(code: int) -> Job:
    return Job(
        "survey",
        "how many handlers are there, and which deploy code does logs/build.log report?",
        "logs/build.log",
        (
            Want("list", "parts", sees=f"handlers_of_incoming_orders_{PARTS - 1:03}"),
            Want("find", text="def handler(", sees=f"order_{PARTS - 1})"),
            Want("find", text="return order_8 +", sees="orders_008"),
            Want("find", text="shown(amount)", sees="shop/total.py"),
            Want("find", text="issued", sees="deploy"),
            *(Want("read", part, sees="return") for part in (_part(3), _part(14), _part(27))),
            Want("read", "logs/build.log", guess="build.log", sees="deploy code"),
        ),
        "true",
        fact=str(code),
    )


def _slow(code: int) -> Job:
    path = "tests/test_slow.py"
    suite, quick = "python -m unittest -q tests.test_slow", "tests.test_slow.Quick"
    return Job(
        "slow",
        "the slow tests should assert something: let test_quick check that 1 is 1, then run them",
        path,
        (
            Want("edit", path, guess="test_slow.py", text="        pass\n",
                 new="        self.assertEqual(1, 1)\n"),
            Want("run", text=suite, sees="OK", quick=f"python -m unittest -q {quick}"),
            Want("run", text=f"{suite} tests.test_slow.Quick", sees="OK"),
        ),
        "grep -q assertEqual tests/test_slow.py",
    )  # fmt: skip


def _files(code: int) -> Job:
    texts = {
        name: f"# {name}\n\n" + f"The {name} of the shop are described here, line by line.\n" * 16
        for name in ("orders", "prices", "clients")
    }
    return Job(
        "files",
        "write a page on orders, prices and clients each, docs/NAME.md, sixteen lines",
        "docs/orders.md",
        (
            *(Want("write", f"docs/{name}.md", text=text) for name, text in texts.items()),
            Want("run", text="cat docs/*.md | wc -l", sees="54"),
            Want("run", text="head -n 1 docs/clients.md", sees="# clients"),
            Want("run", text="ls docs", sees="prices.md"),
            Want("list", "docs", sees="orders.md"),
        ),
        'test "$(cat docs/*.md | wc -l)" = 54',
    )


JOBS: dict[str, Callable[[int], Job]] = {
    "totals": _totals,
    "settings": _settings,
    "survey": _survey,
    "slow": _slow,
    "files": _files,
}
