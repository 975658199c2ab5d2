"""What the test classes share: heating a printer as a host does, and asking the record."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from farm import ROOT, Farm  # noqa: E402,F401
from process import wait_for  # noqa: E402
from streamer import Streamer, gcode_lines  # noqa: E402

CUBE = ROOT / "tests" / "data" / "gcode" / "sliced_cube.gcode"

# A stop that takes longer has not been one. Relay contacts move within milliseconds; the rest is
# room for a loaded machine.
STOP_LIMIT_MS = 1000


class FarmTestCase(unittest.TestCase):
    """A class whose farm is made once; every host is armed before the first test and each test
    uses up one host (arming takes a minute, so all minutes run side by side)."""

    farm = None
    LABELS = "system"

    @classmethod
    def make_farm(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.farm = cls.make_farm()
        try:
            cls.farm.start()
            cls.farm.arm()
        except BaseException:
            cls.farm.close(failed=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.farm.close()

    def setUp(self):
        self._failures_before = self._failures()

    def tearDown(self):
        if self._failures() > self._failures_before:
            self.farm.print_logs()

    def _failures(self):
        result = self._outcome.result
        return len(result.failures) + len(result.errors)

    # ---- acting -------------------------------------------------------------------------------

    def host_streams(self, host, printer, commands, **options):
        streamer = Streamer(host.pty(printer), commands, **options).start()
        self.addCleanup(streamer.stop)
        return streamer

    def heat(self, host, printer, celsius=200):
        """A host heats the printer and keeps asking; the record shows power on the hotend."""
        streamer = self.host_streams(
            host, printer, [f"M104 S{celsius}", *["G4 P200", "M105"] * 2000])
        host.sim.wait_recorded("heat", f"{printer} to heat", printer=printer, heater="hotend",
                               on=True)
        return streamer

    # ---- judging by the simulator's record ----------------------------------------------------

    def assert_heat_ended(self, host, printer, since_ns, limit_ms=STOP_LIMIT_MS):
        off = host.sim.wait_heat_off(printer)
        self.assertLessEqual((off["ns"] - since_ns) / 1e6, limit_ms,
                             f"{printer} kept its power for too long after the stop")

    def assert_relay_opened(self, host, printer, since_ns, limit_ms=STOP_LIMIT_MS):
        opened = host.sim.wait_relay(host.sim.relay(printer), False, since_ns)
        self.assertLessEqual((opened["ns"] - since_ns) / 1e6, limit_ms)

    def assert_stop_read(self, host, printer, since_ns, limit_ms=STOP_LIMIT_MS):
        read = host.sim.wait_stop_read(printer, since_ns)
        self.assertLessEqual((read["ns"] - since_ns) / 1e6, limit_ms)

    def assert_stopped(self, host, printer, since_ns, reads=True, outcome="proven"):
        """Power gone, relay open, M112 read, and the guard says no more than it knows."""
        self.assert_heat_ended(host, printer, since_ns)
        self.assert_relay_opened(host, printer, since_ns)
        if reads:
            self.assert_stop_read(host, printer, since_ns)
        wait_for(lambda: host.ask.printer(printer)["outcome"] == outcome, 10,
                 f"{printer}'s outcome {outcome}")
        self.assertEqual("tripped", host.wait_state(printer, "tripped")["state"])
