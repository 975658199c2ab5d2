"""Child processes that never outlive the test, and waiting for things to become so."""

import os
import signal
import subprocess
import time


class Timeout(AssertionError):
    """Something that should have happened did not."""


def wait_for(check, timeout_s=20.0, what="a condition", every_s=0.01):
    """Returns check()'s first truthy value. Errors of connecting count as "not yet"."""
    deadline = time.monotonic() + timeout_s
    last = None
    while True:
        try:
            value = check()
            if value:
                return value
            last = value
        except (ConnectionError, FileNotFoundError, TimeoutError) as error:
            last = error
        if time.monotonic() > deadline:
            raise Timeout(f"waited {timeout_s:g} s for {what}; last seen: {last!r}")
        time.sleep(every_s)


def dies_with_parent(command):
    """The command, wrapped so that the kernel kills it when the thread that started it ends."""
    return ["setpriv", "--pdeathsig", "KILL", *map(str, command)]


class Process:
    """One program with its output in a file."""

    def __init__(self, name, command, log_path, env=None, preexec=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log_path = log_path
        self.env = {**os.environ, **(env or {})}
        self.preexec = preexec
        self.child = None

    def start(self):
        assert not self.running, f"{self.name} runs already"
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                dies_with_parent(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                preexec_fn=self.preexec,
                start_new_session=True,
            )
        return self

    @property
    def running(self):
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self):
        return self.child.pid if self.child else None

    def signal(self, number):
        if self.running:
            self.child.send_signal(number)

    def kill(self):
        """SIGKILL, and waits until the kernel has taken it away."""
        self.signal(signal.SIGKILL)
        if self.child:
            self.child.wait(10)

    def stop(self, timeout_s=8.0):
        """SIGTERM; the exit status. Kills what does not go, and says so by returning -9."""
        self.signal(signal.SIGTERM)
        if not self.child:
            return None
        try:
            return self.child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def log(self):
        try:
            with open(self.log_path, "r", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""
