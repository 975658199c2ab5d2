"""A small G-code host, as OctoPrint or printcore are: line numbers, checksums, waits for ok,
answers Resend. Works on any tty; knows nothing of Firebreak."""

import os
import re
import select
import termios
import threading
import time
import tty


# Longer than a printer is ever quiet between its `busy:` lines.
NUDGE_S = 5.0


def open_tty(path):
    """The tty, raw, at 115200 baud, non-blocking."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        tty.setraw(fd)
        attributes = termios.tcgetattr(fd)
        attributes[4] = attributes[5] = termios.B115200
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    except BaseException:
        os.close(fd)
        raise
    return fd


def gcode_lines(path):
    """The commands of a file, without comments and empty lines."""
    with open(path, "r", encoding="utf-8", errors="replace") as file:
        for line in file:
            command = line.split(";", 1)[0].strip()
            if command:
                yield command


def numbered(number, command):
    body = f"N{number} {command}"
    checksum = 0
    for byte in body.encode():
        checksum ^= byte
    return f"{body}*{checksum}\n".encode()


class Streamer:
    """Streams commands on a thread of its own.

    `lines_sent` counts acknowledged commands; `error` is the first reason to give up: the port went
    away, the printer halted, nothing was heard for `silence_s`, or, with `obeys_cancel`, the printer
    asked for the end of the job, as OctoPrint obeys it.
    """

    def __init__(self, port, commands, repeat=False, silence_s=60.0, obeys_cancel=False):
        self.port = str(port)
        self.commands = list(commands)
        self.repeat = repeat
        self.silence_s = silence_s
        self.obeys_cancel = obeys_cancel
        self.lines_sent = 0
        self.resends = 0
        self.received = []
        self.error = None
        self.finished = threading.Event()
        self._stop = threading.Event()
        self._fd = None
        self._buffer = b""
        self._thread = threading.Thread(target=self._run, name="streamer", daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stop.set()
        self._thread.join(10)

    @property
    def alive(self):
        return self._thread.is_alive()

    def _run(self):
        try:
            self._fd = open_tty(self.port)
            self._greet()
            while self._stream_once() and self.repeat and not self._stop.is_set():
                pass
        except (OSError, ConnectionError) as error:
            self.error = self.error or str(error)
        finally:
            if self._fd is not None:
                os.close(self._fd)
            self.finished.set()

    def _greet(self):
        """Asks until the printer answers: a board that is still booting hears nothing."""
        deadline = time.monotonic() + self.silence_s
        while not self._stop.is_set():
            self._send(b"\n" + numbered(0, "M110 N0"))
            if self._heard_ok_within(2.0):
                return
            if time.monotonic() > deadline:
                raise ConnectionError(f"no answer in {self.silence_s:g} s")

    def _heard_ok_within(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stop.is_set():
            if any(line.startswith("ok") for line in self._lines()):
                return True
        return False

    def _stream_once(self):
        """Every command once, each numbered from 1. False when it was stopped."""
        self._send(numbered(0, "M110 N0"))
        self._wait_ok(0)
        number = 1
        while number <= len(self.commands):
            if self._stop.is_set():
                return False
            self._send(numbered(number, self.commands[number - 1]))
            again = self._wait_ok(number)
            if again is None:
                self.lines_sent += 1
                number += 1
            else:
                self.resends += 1
                number = max(1, again)
        return True

    def _wait_ok(self, number):
        """None at `ok`; the line number that the printer wants again at `Resend`."""
        again = None
        quiet_since = nudged = time.monotonic()
        while not self._stop.is_set():
            for line in self._lines():
                quiet_since = nudged = time.monotonic()
                self.received.append(line)
                del self.received[:-2000]
                if line.startswith("Error:") and "halted" in line:
                    raise ConnectionError(f"the printer halted: {line}")
                if self.obeys_cancel and line == "//action:cancel":
                    raise ConnectionError("the job was cancelled")
                wanted = re.match(r"(?:Resend|rs):? *N?(\d+)", line)
                if wanted:
                    again = int(wanted.group(1))
                elif line.startswith("ok"):
                    return None if again is None or again > number else again
            if time.monotonic() - quiet_since > self.silence_s:
                raise ConnectionError(f"nothing heard for {self.silence_s:g} s")
            if time.monotonic() - nudged > NUDGE_S:
                # An ok was lost on the way: OctoPrint, too, asks for a temperature then, and takes
                # its ok; a lost line shows as a Resend at the next one.
                nudged = time.monotonic()
                self._send(b"M105\n")
        return None

    def _lines(self):
        select.select([self._fd], [], [], 0.25)
        try:
            data = os.read(self._fd, 4096)
            if not data:
                raise ConnectionError("the port hung up")
            self._buffer += data
        except BlockingIOError:
            pass
        *lines, self._buffer = self._buffer.split(b"\n")
        return [line.decode("latin-1").strip() for line in lines]

    def _send(self, data):
        while data and not self._stop.is_set():
            _, writable, _ = select.select([], [self._fd], [], 0.25)
            if writable:
                data = data[os.write(self._fd, data):]
