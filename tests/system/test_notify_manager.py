"""The notify-socket manager of these tests keeps systemd's promises (see vm tests for the real one)."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from notify_manager import NotifyManager  # noqa: E402
from process import wait_for  # noqa: E402

# A service in a few lines: keeps a file with a counter in the store, and pings until told to hang.
SERVICE = r"""
import array, os, socket, sys, time
def notify(text, *fds):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect(os.environ["NOTIFY_SOCKET"])
    socket.send_fds(s, [text.encode()], list(fds))
names = os.environ.get("LISTEN_FDNAMES", "").split(":") if os.environ.get("LISTEN_FDS") else []
if names:
    assert int(os.environ["LISTEN_PID"]) == os.getpid(), "LISTEN_PID is another process"
    fd = 3 + names.index("latch")
else:
    fd = os.memfd_create("latch")
    notify("FDSTORE=1\nFDNAME=other", os.memfd_create("other"))
    notify("FDSTORE=1\nFDNAME=latch", fd)
starts = int(os.pread(fd, 10, 0) or b"0") + 1
os.pwrite(fd, str(starts).encode(), 0)
notify("READY=1\nSTATUS=start %d" % starts)
while True:
    if not os.path.exists(sys.argv[1]):
        notify("WATCHDOG=1")
    time.sleep(0.05)
"""


class NotifyManagerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="fb-")
        self.addCleanup(self.folder.cleanup)
        folder = pathlib.Path(self.folder.name)
        self.hang = folder / "hang"
        script = folder / "service.py"
        script.write_text(SERVICE)
        self.manager = NotifyManager([sys.executable, script, self.hang], folder,
                                     folder / "log", watchdog_s=0.6)
        self.addCleanup(self.manager.close)
        self.manager.start().wait_ready()

    def wait_status(self, text):
        wait_for(lambda: self.manager.status_text == text, what=f"STATUS={text}")

    def test_a_killed_service_comes_back_with_its_descriptors(self):
        self.wait_status("start 1")
        self.manager.kill()
        self.wait_status("start 2")
        self.assertEqual(["signal"], [result for _, _, result in self.manager.exits])
        self.assertEqual(["other", "latch"], [name for name, _ in self.manager.store])

    def test_a_hung_service_is_killed_by_the_watchdog_and_comes_back(self):
        self.hang.touch()
        self.manager.wait_starts(2)
        self.hang.unlink()
        self.wait_status("start 2")
        self.assertEqual("watchdog", self.manager.exits[0][2])

    def test_a_service_kept_down_stays_down_and_finds_its_store_later(self):
        self.manager.kill_and_keep_down()
        self.assertFalse(self.manager.running)
        self.manager.start()
        self.wait_status("start 2")

    def test_a_reboot_forgets_the_store(self):
        self.manager.kill_and_keep_down()
        self.manager.forget_store()
        self.manager.start()
        self.wait_status("start 1")


if __name__ == "__main__":
    unittest.main()
