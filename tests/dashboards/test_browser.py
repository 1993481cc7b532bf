"""The app as people get it: its own process, every page clicked in a real Chromium."""

import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dashboards.__main__ import command
from tests.dashboards.conftest import Published

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HEADINGS = {"Overview": "How sessions felt", "Session": "One session", "Tasks": "Patch tasks"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
START_SECONDS = 60
# Streamlit asks for both below a deep link, in vain, before it asks at the root.
_ASKED_IN_VAIN = re.compile(r".* 404 \(Not Found\) http://\S+/\w+/_stcore/(health|host-config)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install the package chromium")
    with sync_playwright() as playwright:
        # As root, Chromium starts only without its own sandbox.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def screenshots(repository: Path) -> Path:
    folder = repository / "test-output" / "dashboards"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _serving(snapshots: Path, log: Path) -> Iterator[str]:
    """The address of the app over `snapshots`, for as long as the block lasts."""
    port = _free_port()
    with (
        log.open("w") as output,
        subprocess.Popen(
            command(snapshots, port), stdout=output, stderr=subprocess.STDOUT
        ) as server,
    ):
        try:
            _wait_until_healthy(port, server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_healthy(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"the app did not start within {START_SECONDS} s: {log.read_text()}")


@contextmanager
def _page(browser: Browser, scheme: Literal["light", "dark"]) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what went wrong on it: console errors, exceptions, requests to elsewhere."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": 1280, "height": 1500}, timezone_id="UTC"
    )
    page, wrong = context.new_page(), list[str]()
    page.on(
        "console",
        lambda said: (
            wrong.append(f"{said.text} {said.location['url']}") if said.type == "error" else None
        ),
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda sent: (
            wrong.append(f"asks {sent.url}")
            if not sent.url.startswith(("http://127.0.0.1:", "data:", "blob:"))
            else None
        ),
    )
    yield page, wrong
    context.close()


def _settle(page: Page) -> None:
    """Wait until the script has run and the charts are drawn."""
    # The first page of a server imports what it draws with: seconds on a busy machine.
    expect(
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
    ).to_be_visible(timeout=60_000)
    page.wait_for_timeout(1000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_shows_without_an_error(
    browser: Browser,
    published: Published,
    screenshots: Path,
    tmp_path: Path,
    scheme: Literal["light", "dark"],
) -> None:
    with (
        _serving(published.owner, tmp_path / "app.log") as address,
        _page(browser, scheme) as (page, wrong),
    ):
        page.goto(address)
        for name, heading in HEADINGS.items():
            page.get_by_role("link", name=name).click()
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)
            _settle(page)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            page.screenshot(path=screenshots / f"{name.lower()}-{scheme}.png")
        assert wrong == []
    assert "Traceback" not in (tmp_path / "app.log").read_text()


def test_a_moment_tells_its_citation_when_pointed_at(
    browser: Browser, published: Published, screenshots: Path, tmp_path: Path
) -> None:
    with (
        _serving(published.owner, tmp_path / "app.log") as address,
        _page(browser, "light") as (page, _),
    ):
        page.goto(f"{address}/session?session=atif:session-01")
        expect(page.get_by_role("heading", level=1)).to_have_text("One session")
        _settle(page)
        citation = "The agent's edit failed because the text to replace was not found."
        page.locator(f'[data-testid="stVegaLiteChart"] path[aria-label*="{citation}"]').last.hover()
        expect(page.locator("#vg-tooltip-element")).to_contain_text(citation)
        page.screenshot(path=screenshots / "session-hover.png")


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("", ["Judge: kappa 0.67 [0.60, 0.73] on 609 labelled turns"]),
        (
            "session?session=atif:session-25",
            [
                "Judge of friction: kappa 0.67 [0.60, 0.73] on 609 labelled turns",
                "Judge of delight: not measured: 17 labelled turns with it, 20 needed",
            ],
        ),
        ("tasks", ["Judge: not measured: 9 labelled turns with it, 20 needed"]),
    ],
    ids=["overview", "session", "tasks"],
)
def test_the_judges_accuracy_is_visible_beside_its_figures(
    browser: Browser,
    published: Published,
    screenshots: Path,
    tmp_path: Path,
    address: str,
    wanted: list[str],
) -> None:
    with (
        _serving(published.owner, tmp_path / "app.log") as served,
        _page(browser, "light") as (page, wrong),
    ):
        page.goto(f"{served}/{address}")
        _settle(page)
        for words in wanted:
            expect(page.get_by_text(words, exact=True).first).to_be_visible()
        page.screenshot(
            path=screenshots / f"accuracy-{address.partition('?')[0] or 'overview'}.png",
            full_page=True,
        )
        assert [said for said in wrong if not _ASKED_IN_VAIN.fullmatch(said)] == []


def test_on_a_phone_nothing_is_wider_than_the_screen(
    browser: Browser, published: Published, screenshots: Path, tmp_path: Path
) -> None:
    with (
        _serving(published.owner, tmp_path / "app.log") as address,
        _page(browser, "light") as (page, _),
    ):
        page.set_viewport_size({"width": 390, "height": 844})
        for name in ("", "session", "tasks"):
            page.goto(f"{address}/{name}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            _settle(page)
            width = page.evaluate("document.documentElement.scrollWidth")
            page.screenshot(path=screenshots / f"{name or 'overview'}-phone.png")
            assert width <= 390


def test_before_the_first_run_the_page_says_what_to_run(browser: Browser, tmp_path: Path) -> None:
    with (
        _serving(tmp_path / "snapshots", tmp_path / "app.log") as address,
        _page(browser, "light") as (page, wrong),
    ):
        page.goto(address)
        expect(page.get_by_test_id("stAlert")).to_contain_text("No snapshot yet: run signals run")
        assert wrong == []
