"""The serial proxy between real hosts and the simulated printer, and what a stalled monitor does."""

import ctypes
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from case import CUBE, Farm, FarmTestCase, gcode_lines, wait_for
from simulator import Simulator

DEBIAN_PYTHON = "/usr/bin/python3"
PRINT = pathlib.Path(__file__).with_name("print_with_printcore.py")
# The simulated machine moves fast; its cold heaters would otherwise make the test wait for minutes.
FAST = {"motion_slowness": 0.01, "homing_ms": 200, "baud": 0}
# What the guard says of its own, unnumbered, between two lines of a host.
OWN_LINES = {b"M105", b"M155 S1", b"M115"}


def has_printcore():
    return subprocess.run([DEBIAN_PYTHON, "-c", "import printrun.printcore"],
                          capture_output=True).returncode == 0


def job_of(data):
    """The numbered lines of the job, byte for byte, without what is said around it."""
    lines = data[data.index(b"N-1 M110"):].split(b"\n")
    return b"\n".join(line for line in lines if line not in OWN_LINES)


class ProxyTest(FarmTestCase):
    SECONDS = 600

    @classmethod
    def make_farm(cls):
        # systemd would end a guard after 2 s; here it is to be seen what the guard does itself.
        return Farm({"print": ["p1"], "stall": ["p2"]}, dialect=FAST, watchdog_s=60,
                    printer_options={"record": "port.bytes"})

    def print_file(self, port, path):
        done = subprocess.run([DEBIAN_PYTHON, PRINT, port, path], capture_output=True, text=True,
                              timeout=700)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_a_whole_sliced_file_comes_through_byte_for_byte(self):
        if not has_printcore():
            self.skipTest("Debian's package printcore is not installed (see ./dev packages)")
        host = self.farm["print"]
        with tempfile.TemporaryDirectory(prefix="fb-") as folder:
            folder = pathlib.Path(folder)
            job = folder / "job.gcode"
            # Without the waits for heat, and without heat: the bytes are what is looked at.
            job.write_text("".join(line + "\n" for line in gcode_lines(CUBE)
                                   if not line.startswith(("M109", "M190", "M104", "M140"))))
            alone = Simulator(folder, host.farm.binary("firebreak-sim"), "alone", ["p1"],
                              relays="none", dialect=FAST, options={"record": "port.bytes"})
            self.addCleanup(alone.stop)
            alone.start()
            self.print_file(alone.port("p1"), job)
            self.print_file(host.pty("p1"), job)
            expected = job_of((folder / "port.bytes").read_bytes())
            self.assertGreater(expected.count(b"\n"), 1900)
            self.assertEqual(expected, job_of((host.sim.folder / "port.bytes").read_bytes()))

    def test_a_stalled_monitor_holds_no_data_up_and_the_relay_opens(self):
        host = self.farm["stall"]
        streamer = self.host_streams(host, "p2", ["M105", "G4 P5"] * 20000)
        wait_for(lambda: streamer.lines_sent > 20, 30, "the stream")
        with stopped_thread(host.guard.pid, "monitor") as since_ns:
            sent = streamer.lines_sent
            # Before the relay is found open, which stops the printer too.
            wait_for(lambda: streamer.lines_sent > sent + 20, 30, "lines while the monitor stands")
            self.assert_relay_opened(host, "p2", since_ns, limit_ms=10_000)
        host.wait_state("p2", "tripped")


class stopped_thread:
    """Holds one thread of a process, as a hang of its code would; the others go on."""

    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, pid, name):
        self.tid = next(int(task.name) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                        if (task / "comm").read_text().strip() == name)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def request(self, what):
        if self.libc.ptrace(what, self.tid, None, None) != 0:
            raise unittest.SkipTest(f"no right to stop a thread: {os.strerror(ctypes.get_errno())}")

    def __enter__(self):
        self.request(self.SEIZE)
        self.request(self.INTERRUPT)
        os.waitpid(self.tid, self.WALL)
        return time.monotonic_ns()

    def __exit__(self, *_):
        self.request(self.DETACH)


if __name__ == "__main__":
    unittest.main()
