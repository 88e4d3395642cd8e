"""The pages in a real browser: no console errors, no horizontal overflow, themes, a form, a keyboard."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from llmmon.store.database import Database, fetch
from tests.integration.web.mounting import mount, sign_tokens
from tests.integration.web.seed import fill

pytestmark = pytest.mark.e2e

PAGES = ("", "deployments/assistant-gpt4", "alerts", "alerts/1", "alerts/2", "alerts/4", "coverage", "sources", "audit")
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)


@pytest.fixture
def address(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Serve the pages of a filled store on a free loopback port and yield their address."""
    from llmmon_airflow import settings

    fill(database)
    monkeypatch.setenv("LLMMON_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("LLMMON_CONFIG", str(tmp_path / "bare.toml"))
    (tmp_path / "bare.toml").write_text("[sources]\n[deployments]\n")
    settings.database.cache_clear()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(mount(), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/llmmon"
        server.should_exit = True
        thread.join()
    settings.database().engine.dispose()
    settings.database.cache_clear()


@pytest.fixture
def browser_page(address: str, tmp_path: Path) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page of a new Chromium signed in to Airflow, and the list that its complaints go to."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=CHROMIUM, args=FLAGS.split()
        )
        context.add_cookies([{"name": "_token", "value": sign_tokens()["user"], "url": address}])
        page = context.pages[0]
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"a dialog opened: {dialog.message}"))
        yield page, complaints
        context.close()


def test_pages_load_cleanly_in_both_themes_and_widths(address, browser_page):
    """No page logs an error, runs hostile script or is wider than its window; dark is dark."""
    page, complaints = browser_page
    for scheme, brightest in (("light", 255 * 3), ("dark", 100)):
        page.emulate_media(color_scheme=scheme)
        for width in (1440, 800):
            page.set_viewport_size({"width": width, "height": 900})
            for path in PAGES:
                page.goto(f"{address}/{path}")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
                ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
                assert sum(ground) <= brightest, (path, scheme)
    assert complaints == []


def test_page_in_a_frame_follows_airflow(address, browser_page):
    """Framed as Airflow frames it, a page takes the theme of its host and changes with it."""
    page, complaints = browser_page
    page.emulate_media(color_scheme="light")
    page.goto(f"{address}/audit")
    page.evaluate(
        """() => { document.documentElement.classList.add('dark');
            const frame = document.createElement('iframe'); frame.id = 'inner'; frame.src = location.href;
            frame.sandbox = 'allow-scripts allow-same-origin allow-forms allow-downloads';
            document.querySelector('main').replaceChildren(frame); }"""
    )
    inner = page.frame_locator("#inner").locator("html")
    inner.locator("h1").wait_for()

    expect(inner).to_have_class(re.compile("is-dark"))
    page.evaluate("document.documentElement.classList.remove('dark')")
    expect(inner).to_have_class(re.compile("is-light"))
    assert complaints == []


def test_alert_is_acknowledged_from_its_page(address, browser_page, database):
    """A person writes a note, presses the button, and the alert's page and the store both say so."""
    page, complaints = browser_page
    page.goto(f"{address}/alerts/1")
    page.fill("#note", "the June rollout")
    page.click("text=Acknowledge")
    page.wait_for_selector(".headline .badge.is-acknowledged")

    assert "the June rollout" in page.inner_text(".history")
    with database.transaction() as connection:
        assert fetch(connection, "ui/alert", {"alert_id": 1})[0].state == "acknowledged"
    assert complaints == []


def test_chart_reads_out_a_window_and_keyboard_reaches_content(address, browser_page):
    """Pointing at a window says its value below the chart; the first tab stop skips to the content."""
    page, _ = browser_page
    page.goto(f"{address}/deployments/assistant-gpt4?look=accuracy&at=all")
    page.hover(".plot .stop:nth-of-type(5) .touch", force=True)

    assert "no value" in page.inner_text(".readout")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
