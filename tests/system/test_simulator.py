"""The harness and the simulator fit: ports, board, faults, record."""

import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from farm import BUILD  # noqa: E402
from process import wait_for  # noqa: E402
from simulator import Simulator  # noqa: E402
from streamer import Streamer  # noqa: E402
import tempfile  # noqa: E402


class SimulatorTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fb-")
        self.addCleanup(folder.cleanup)
        self.sim = Simulator(pathlib.Path(folder.name), BUILD / "bin" / "firebreak-sim", "shed",
                             ["p1"], relays="none", own_sensors=True)
        self.addCleanup(self.sim.stop)
        self.sim.start()

    def test_a_host_streams_and_the_record_shows_heat_and_the_stop(self):
        host = Streamer(self.sim.port("p1"), ["M104 S200", "G4 P500", "M112"]).start()
        self.addCleanup(host.stop)
        self.sim.wait_recorded("heat", "heat", printer="p1", on=True)
        self.sim.wait_stop_read("p1")
        self.sim.wait_heat_off("p1")
        self.sim.wait_recorded("halted", "the halt", printer="p1")
        wait_for(lambda: host.error, what="the host to give up")
        self.assertIn("halted", host.error)
        self.assertEqual(1, self.sim.opens("p1"))

    def test_a_welded_heater_heats_whatever_the_firmware_wants(self):
        self.sim.fault("p1", "heater_on", heater="hotend")
        self.sim.wait_recorded("heat", "heat", printer="p1", on=True, heater="hotend")
        self.assertIsNone(self.sim.cold_since("p1"))
        self.sim.fault("p1", "heater_on", on=False, heater="hotend")
        self.sim.wait_heat_off("p1")

    def test_a_press_is_stamped_with_the_common_clock(self):
        before = time.monotonic_ns()
        pressed = self.sim.press()
        self.assertLessEqual(before, pressed)
        self.assertLessEqual(pressed, time.monotonic_ns())
        self.sim.wait_recorded("button", "the press", pressed=True)


if __name__ == "__main__":
    unittest.main()
