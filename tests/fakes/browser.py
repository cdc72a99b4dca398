"""A page in a real headless Chromium, driven over its debugging protocol: console, requests, what is drawn, a picture."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 90.0


class Seen(NamedTuple):
    """What a page did."""

    errors: list[str]
    """Console messages of any level, exceptions, and log entries of the browser about the page."""
    requests: list[str]
    """Addresses that the page asked for, its own left out."""
    value: Any
    """What the given JavaScript gave."""


def look(
    page: Path, folder: Path, script: str, *, width: int = 1000, dark: bool = False, picture: str = "", of: str = ""
) -> Seen:
    """Open a page and look at it; the test is skipped where there is no Chromium.

    Args:
        folder: for the browser's profile and the picture.
        script: JavaScript expression whose JSON value is wanted.
        picture: name of a PNG to write into `folder`: of the whole page, or with `of` of the first element so selected.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    flags = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
        "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}",
    ]  # fmt: skip
    commands_out, commands_in = _pipe()
    answers_out, answers_in = _pipe()

    def connect() -> None:
        # The browser takes commands from descriptor 3 and answers on 4: no port, no WebSocket.
        os.dup2(commands_out, 3)
        os.dup2(answers_in, 4)

    browser = subprocess.Popen(
        [found, *flags], preexec_fn=connect, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(commands_out)
    os.close(answers_in)
    try:
        return _Session(commands_in, answers_out).look(
            page, script, width, dark, folder / picture if picture else None, of
        )
    finally:
        browser.kill()
        browser.wait()
        os.close(commands_in)
        os.close(answers_out)


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, clear of the descriptors that the browser wants."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low)
    for end in low:
        os.close(end)
    return high[0], high[1]


class _Session:
    """A conversation: commands with numbers, answers and events in any order, each ended by a zero byte."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._buffer = b""
        self._number = 0
        self._until = time.monotonic() + SECONDS
        self.events: list[dict[str, Any]] = []

    def look(self, page: Path, script: str, width: int, dark: bool, picture: Path | None, of: str) -> Seen:
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable", {}, session)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", size, session)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", {"features": scheme}, session)
        self.ask("Page.navigate", {"url": page.as_uri()}, session)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._read()
        answer = self.ask(
            "Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True}, session
        )
        if picture is not None:
            options: dict[str, Any] = {"captureBeyondViewport": True}
            if of:
                box = f"(() => {{ const b = document.querySelector({json.dumps(of)}).getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }})()"
                found = self.ask("Runtime.evaluate", {"expression": box, "returnByValue": True}, session)
                options["clip"] = dict(zip(("x", "y", "width", "height"), found["result"]["value"], strict=True)) | {
                    "scale": 1
                }
            shot = self.ask("Page.captureScreenshot", options, session)
            picture.write_bytes(base64.b64decode(shot["data"]))
        errors, requests = [], []
        for event in self.events:
            if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                errors.append(json.dumps(event["params"])[:3000])
            elif event["method"] == "Network.requestWillBeSent":
                requests.append(event["params"]["request"]["url"])
        asked = [url for url in requests if url != page.as_uri() and not url.startswith("data:")]
        return Seen(errors, asked, answer["result"].get("value"))

    def ask(self, method: str, params: dict[str, Any], session: str = "") -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read()
            if found.get("id") == self._number:
                assert "error" not in found, (method, found["error"])
                return found["result"]

    def _read(self) -> dict[str, Any]:
        """The next message; an event is kept, too."""
        while b"\0" not in self._buffer:
            left = self._until - time.monotonic()
            ready, _, _ = select.select([self._answers], [], [], max(0.0, left))
            assert ready, f"the browser said nothing for {SECONDS:g} s"
            data = os.read(self._answers, 1 << 20)
            assert data, "the browser has ended"
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        if "method" in found:
            self.events.append(found)
        return found
