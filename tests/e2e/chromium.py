"""A headless Chromium driven over its own protocol: sizes, dark mode, keys, without scripts, pictures."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_DRIVEN = ("--hide-scrollbars", "--remote-debugging-port=0", "--remote-allow-origins=*")
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40}


class Page:
    """One open page."""

    def __init__(self, socket: ClientConnection):
        self._socket = socket
        self._number = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _wait(self, event: str) -> None:
        while not any(e.get("method") == event for e in self.events):
            self.events.append(json.loads(self._socket.recv(timeout=60)))

    def open(self, address: str) -> None:
        self.events.clear()
        self.call("Page.navigate", url=address)
        self._wait("Page.loadEventFired")

    def press(self, key: str) -> None:
        text = {"Enter": "\r", " ": " "}.get(key, "")
        code = {"windowsVirtualKeyCode": KEYS[key], "key": key, "code": key}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def submit(self) -> None:
        """Press Enter and wait for the page that comes."""
        self.events.clear()
        self.press("Enter")
        self._wait("Page.loadEventFired")

    def look(self, script: str) -> Any:
        """Return what a script of the test sees in the page; the page's own policy does not bind it."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def size(self, width: int, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def dark(self, is_dark: bool) -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def without_scripts(self, is_without: bool = True) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=is_without)

    def picture(self, path: Path, *, most: int = 4000) -> None:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], most), "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))

    def asked_for(self) -> list[str]:
        """Return every address that the page loaded since it was opened."""
        sent = [e["params"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]

    def complaints(self) -> list[str]:
        """Return what the browser complained about, blocked scripts and styles among it."""
        entries = [e["params"]["entry"] for e in self.events if e.get("method") == "Log.entryAdded"]
        return [f"{entry['level']}: {entry['text']}" for entry in entries]


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    assert PROGRAM is not None
    command = [PROGRAM, *QUIET, *_DRIVEN, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = profile / "DevToolsActivePort"
            until = time.monotonic() + 60
            while not (port.exists() and len(port.read_text().split()) == 2):
                assert time.monotonic() < until, "Chromium did not start"
                time.sleep(0.05)
            number, path = port.read_text().split()
            with connect(f"ws://127.0.0.1:{number}{path}", max_size=None) as control:
                control.send(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
                target = json.loads(control.recv(timeout=60))["result"]["targetId"]
                with connect(f"ws://127.0.0.1:{number}/devtools/page/{target}", max_size=None) as socket:
                    yield Page(socket)
        finally:
            process.terminate()
            process.wait(20)
