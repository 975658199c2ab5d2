"""The button stops heat, whatever else is broken. Judged by the simulator's own record."""

import os
import resource
import subprocess
import unittest

from case import CUBE, Farm, FarmTestCase, gcode_lines, wait_for


class StopsWhateverIsBrokenTest(FarmTestCase):
    SECONDS = 420

    @classmethod
    def make_farm(cls):
        farm = Farm({name: [f"{name}-1", f"{name}-2"] for name in
                     ("plain", "disk", "junk", "flood", "deaf", "print")})
        farm.small_disk = mount_small_disk(farm["disk"].state_dir)
        return farm

    def fill(self, host):
        """A disk that is really full where we may mount one; else every write to a file fails, as
        on one that is."""
        if self.farm.small_disk:
            with self.assertRaises(OSError):
                with open(host.state_dir / "filling", "wb", buffering=0) as file:
                    while True:
                        file.write(bytes(65536))
        else:
            resource.prlimit(host.guard.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def press_and_judge(self, host, deaf=()):
        pressed_ns = host.sim.press()
        for printer in host.printers:
            self.assert_stopped(host, printer, pressed_ns, reads=printer not in deaf)
        seen = host.ask.status()
        self.assertTrue(seen["host"]["latched"])
        for printer in seen["printers"]:
            self.assertIn("button", printer["causes"])

    def test_with_no_coordinator_and_no_uplink_at_all(self):
        host = self.farm["plain"]
        for printer in host.printers:
            self.heat(host, printer)
        self.press_and_judge(host)

    def test_with_the_disk_full(self):
        host = self.farm["disk"]
        for printer in host.printers:
            self.heat(host, printer)
        self.fill(host)
        self.press_and_judge(host)
        wait_for(lambda: not host.ask.status()["store"]["ok"], 15, "the loss to be told")

    def test_with_the_database_replaced_by_junk(self):
        host = self.farm["junk"]
        for printer in host.printers:
            self.heat(host, printer)
        databases = [path for path in host.state_dir.rglob("*") if path.suffix in (".db", ".sqlite")]
        self.assertTrue(databases, f"no database in {host.state_dir}")
        for path in databases:
            with open(path, "r+b") as file:
                file.write(os.urandom(path.stat().st_size))
        self.press_and_judge(host)

    def test_with_a_printer_that_floods_a_megabyte_a_second(self):
        host = self.farm["flood"]
        loud, quiet = host.printers
        self.heat(host, loud)
        self.heat(host, quiet)
        host.sim.fault(loud, "junk", value=1_000_000)
        wait_for(lambda: True, 1)
        self.press_and_judge(host)

    def test_with_a_printer_that_has_stopped_reading(self):
        host = self.farm["deaf"]
        deaf, other = host.printers
        streamer = self.heat(host, deaf)
        self.heat(host, other)
        host.sim.fault(deaf, "not_reading")
        sent = streamer.lines_sent
        wait_for(lambda: streamer.lines_sent >= sent, 5)
        self.press_and_judge(host, deaf=(deaf,))

    def test_with_a_host_streaming_a_sliced_file(self):
        host = self.farm["print"]
        printing, other = host.printers
        self.heat(host, other)
        # It prints while it heats: a heater that were set hot at once would be a jump, and cut.
        waits = ("G28", "M190", "M109")
        # Ten cubes in a row: the file must not end before the press.
        commands = [line for line in gcode_lines(CUBE) if not line.startswith(waits)] * 10
        streamer = self.host_streams(host, printing, commands, obeys_cancel=True)
        wait_for(lambda: streamer.lines_sent > 30, 120, "the print to run")
        self.assertLess(streamer.lines_sent, len(commands), "the file ended before the press")
        self.press_and_judge(host)
        wait_for(lambda: not streamer.alive, 70, "the host to see a clean end")
        self.assertIsNotNone(streamer.error, f"the host was told nothing: {streamer.received[-20:]}")


def mount_small_disk(folder):
    """A file system of 8 MB there, if we are allowed to; it goes with the farm."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "firebreak-test", folder],
                          capture_output=True).returncode == 0


if __name__ == "__main__":
    unittest.main()
