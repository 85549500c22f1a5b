"""The demo in a folder of its own, for what draws or counts its pages."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.demo.test_supervisor import environment, free_port
from tests.test_processes import soon

READY_SECONDS = 600


@contextmanager
def running_demo(var: Path) -> Iterator[tuple[Browser, str]]:
    """A browser, and the address of a demo whose data are in `var` (kept: a second start is short)."""
    var.mkdir(parents=True, exist_ok=True)
    port, said = free_port(), var / "said"
    with said.open("w") as output:
        command = [Path(sys.executable).with_name("marketplace"), "demo"]
        process = subprocess.Popen(command, env=environment(var.absolute(), port), stderr=output)
    try:
        assert soon(lambda: process.poll() is not None or "è pronto" in said.read_text(), READY_SECONDS)
        assert process.poll() is None, said.read_text()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            yield browser, f"http://127.0.0.1:{port}"
            browser.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
