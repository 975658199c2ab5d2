"""The demo's page on the terminal: calm, one step after another, each with its time."""

import os
import shutil
import sys
import threading
import time

MARKS = {"ok": ("✓", "32"), "failed": ("✗", "31;1"), "skipped": ("–", "33"), "note": ("·", "36")}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class StepFailed(Exception):
    """A step of the story did not hold; the text says what was seen."""


def colour_wanted(stream):
    return (stream.isatty() and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "dumb") != "dumb") or bool(os.environ.get("FORCE_COLOR"))


class Page:
    """Writes the story. Steps are context managers: their title shows at once, their measured
    lines and the verdict when they end."""

    def __init__(self, stream=sys.stdout):
        self.stream = stream
        self.colour = colour_wanted(stream)
        self.live = stream.isatty()
        self.began = time.monotonic()
        self.results = []
        self.width = min(100, shutil.get_terminal_size((100, 40)).columns)

    def paint(self, text, code):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def write(self, text=""):
        self.stream.write(text + "\n")
        self.stream.flush()

    def title(self, text, under):
        self.write()
        self.write("  " + self.paint(text, "1"))
        self.write("  " + self.paint(under, "2"))
        self.write()

    def clock(self):
        seconds = time.monotonic() - self.began
        return f"{int(seconds // 60)}:{seconds % 60:04.1f}"

    def note(self, text):
        mark, code = MARKS["note"]
        self.write(f"  {self.paint(mark, code)} {'':6} {text}")

    def step(self, title):
        return Step(self, title)

    def fact(self, label, value):
        dots = " " * max(1, 44 - len(label))
        return f"             {self.paint(label, '2')}{dots}{value}"

    @property
    def failed(self):
        return [title for title, result in self.results if result == "failed"]


class Step:
    def __init__(self, page, title):
        self.page, self.title = page, title
        self.facts = []
        self.result = "ok"
        self._done = threading.Event()
        self._spinner = None

    def measured(self, label, value):
        """A line under the step: what was measured and how much."""
        self.facts.append((label, str(value)))

    def skip(self, why):
        self.result = "skipped"
        self.facts.append(("left out", why))

    def check(self, holds, text):
        if not holds:
            raise StepFailed(text)

    def __enter__(self):
        if self.page.live:
            self._spinner = threading.Thread(target=self._spin, daemon=True)
            self._spinner.start()
        return self

    def _spin(self):
        turn = 0
        while not self._done.wait(0.1):
            turn += 1
            glyph = self.page.paint(SPINNER[turn % len(SPINNER)], "36")
            self.page.stream.write(f"\r\x1b[K  {glyph} {self.page.clock():>6} {self.title}")
            self.page.stream.flush()

    def __exit__(self, kind, error, _):
        self._done.set()
        if self._spinner:
            self._spinner.join()
            self.page.stream.write("\r\x1b[K")
        if kind is not None and issubclass(kind, (Exception,)):
            self.result = "failed"
        mark, code = MARKS[self.result]
        page = self.page
        page.write(f"  {page.paint(mark, code)} {page.paint(page.clock().rjust(6), '2')} {self.title}")
        for label, value in self.facts:
            page.write(page.fact(label, value))
        if self.result == "failed":
            for line in (str(error) or repr(error)).splitlines()[:12]:
                page.write(f"             {page.paint(line, '31')}")
        page.results.append((self.title, self.result))
        # A failed step is told and counted; the story goes on where it can.
        return kind is not None and issubclass(kind, Exception)
