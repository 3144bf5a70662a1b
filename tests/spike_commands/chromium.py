"""A headless Chromium that tests talk to over two pipes, without any driver."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SECONDS_TO_END = 60


class Browser:
    """One window; `evaluate` runs a script in it, `hover` and `keys` do what a hand does."""

    def __init__(self, to_browser, from_browser):
        self.to_browser, self.from_browser = to_browser, from_browser
        self.number, self.complaints, self.session = 0, [], None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.requests = []

    def send(self, method, **parameters):
        """Send one command and wait for its answer; notes of the page on the way are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.to_browser.write(json.dumps(message).encode() + b"\0")
        self.to_browser.flush()
        while (answer := self.receive()).get("id") != self.number:
            self.note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def receive(self):
        parts = []
        while (letter := self.from_browser.read(1)) != b"\0":
            assert letter, "the browser has gone"
            parts.append(letter + self.from_browser.peek().split(b"\0")[0])
            self.from_browser.read(len(parts[-1]) - 1)
        return json.loads(b"".join(parts))

    def note(self, event):
        if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.complaints.append(event["params"])
        if event["method"] == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])

    def open(self, path):
        self.visit(path.absolute().as_uri())

    def visit(self, url):
        self.complaints, self.requests = [], []
        self.send("Page.navigate", url=url)
        while self.evaluate("document.readyState") != "complete":
            pass

    def evaluate(self, expression):
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def hover(self, selector):
        box = self.evaluate(
            f"(r => [r.left + r.width / 2, r.top + r.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getClientRects()[0])"
        )
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])

    def type(self, selector, text):
        """Put a text into a field as if it had been typed."""
        self.evaluate(
            f"(field => {{ field.focus(); field.value = {json.dumps(text)};"
            f"field.dispatchEvent(new Event('input'));"
            f"field.dispatchEvent(new Event('change')); }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )

    def click(self, selector):
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def scheme(self, name):
        """Prefer light or dark."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.send("Emulation.setEmulatedMedia", features=features)

    def size(self, width, height):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))


def moved(descriptor):
    """Give a descriptor a number that is not small."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return high


@contextmanager
def browser(folder):
    """Start a browser whose profile is in a folder; it ends with the block."""
    # The browser reads commands from descriptor 3 and answers on 4: keep ours clear of those.
    command_out, command_in, answer_out, answer_in = (
        moved(end) for pair in (os.pipe(), os.pipe()) for end in pair
    )
    arguments = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={folder}"),
    ]
    script = f'exec "$0" "$@" 3<&{command_out} 4>&{answer_in}'
    process = subprocess.Popen(
        ["bash", "-c", script, CHROMIUM, *arguments],
        pass_fds=(command_out, answer_in),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_out)
    os.close(answer_in)
    with os.fdopen(command_in, "wb") as to_browser, os.fdopen(answer_out, "rb") as from_browser:
        try:
            yield Browser(to_browser, from_browser)
        finally:
            process.terminate()
            process.wait(SECONDS_TO_END)
