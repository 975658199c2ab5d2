"""The guard dies, hangs, comes back: what its relays and its printers do meanwhile."""

import os
import signal
import time
import unittest

from case import Farm, FarmTestCase, wait_for

# Longest time from the guard's end to an open contact: the hold time and the contact's own.
HEARTBEAT_LIMIT_MS = 2000
HUNG_LIMIT_MS = 3000


class GuardLifeTest(FarmTestCase):
    SECONDS = 420

    @classmethod
    def make_farm(cls):
        return Farm({"down": ["down-1"], "back": ["back-1"], "late": ["late-1"],
                     "hung": ["hung-1"], "often": ["often-1"], "latch": ["latch-1"],
                     "level": {"printers": ["level-1"], "relays": "plain"}})

    def test_killed_and_kept_down_the_heartbeat_relay_opens(self):
        host = self.farm["down"]
        self.heat(host, "down-1")
        host.guard.kill_and_keep_down()
        died_ns = int(host.guard.exits[-1][0] * 1e9)
        self.assert_relay_opened(host, "down-1", died_ns, HEARTBEAT_LIMIT_MS)
        self.assert_heat_ended(host, "down-1", died_ns, HEARTBEAT_LIMIT_MS)

    def test_killed_and_back_at_once_the_print_goes_on_and_the_port_stays_open(self):
        host = self.farm["back"]
        streamer = self.heat(host, "back-1")
        opens = host.sim.opens("back-1")
        killed_ns = time.monotonic_ns()
        host.guard.kill()
        host.guard.wait_ready()
        host.wait_state("back-1", "armed")
        sent = streamer.lines_sent
        wait_for(lambda: streamer.lines_sent > sent + 5, 20, "the print to go on")
        self.assertIsNone(streamer.error)
        self.assertEqual(opens, host.sim.opens("back-1"), "the port was opened again: a DTR edge")
        self.assertEqual([], host.sim.facts("dtr", killed_ns))
        self.assertEqual([], host.sim.facts("relay", killed_ns, relay=host.sim.relay("back-1")))

    def test_killed_and_back_too_late_it_comes_up_tripped(self):
        host = self.farm["late"]
        self.heat(host, "late-1")
        host.guard.kill_and_keep_down()
        died_ns = int(host.guard.exits[-1][0] * 1e9)
        host.sim.wait_relay(host.sim.relay("late-1"), False, died_ns)
        host.guard.start()
        host.guard.wait_ready()
        seen = host.wait_state("late-1", "tripped")
        self.assertIn("guard_lapsed", seen["causes"])
        self.assert_heat_ended(host, "late-1", died_ns, HEARTBEAT_LIMIT_MS)

    def test_hung_it_is_killed_and_the_relay_opens(self):
        host = self.farm["hung"]
        self.heat(host, "hung-1")
        hung_ns = time.monotonic_ns()
        os.kill(host.guard.pid, signal.SIGSTOP)
        self.assert_relay_opened(host, "hung-1", hung_ns, HUNG_LIMIT_MS)
        self.assert_heat_ended(host, "hung-1", hung_ns, HUNG_LIMIT_MS)
        host.guard.wait_starts(2)
        self.assertEqual("watchdog", host.guard.exits[0][2])
        host.wait_state("hung-1", "tripped")

    def test_the_third_restart_in_ten_minutes_parks(self):
        host = self.farm["often"]
        for _ in range(2):
            host.guard.kill()
            host.guard.wait_ready()
            host.wait_state("often-1", "armed")
        host.guard.kill()
        killed_ns = time.monotonic_ns()
        host.guard.wait_ready()
        host.wait_state("often-1", "parked")
        self.assert_relay_opened(host, "often-1", killed_ns, HEARTBEAT_LIMIT_MS)
        self.assertTrue(host.ask.ask("unpark")["ok"])
        host.wait_state("often-1", "tripped")

    def test_a_latch_survives_a_kill_and_a_lost_descriptor_store(self):
        host = self.farm["latch"]
        host.ask.ask("stop", printers=["latch-1"], who="test", cause="person")
        before = host.wait_state("latch-1", "tripped", timeout_s=60)
        host.guard.kill()
        host.guard.wait_ready()
        after = host.ask.printer("latch-1")
        self.assertIn(after["state"], ("tripped", "cutting"))
        after = host.wait_state("latch-1", "tripped")
        self.assertLessEqual(before["latch_number"], after["latch_number"])
        host.guard.kill_and_keep_down()
        host.guard.forget_store()
        host.guard.start()
        host.guard.wait_ready()
        lost = host.wait_state("latch-1", "tripped")
        self.assertIn("person", lost["causes"])

    def test_a_plain_relay_trips_when_its_guard_is_killed(self):
        host = self.farm["level"]
        self.heat(host, "level-1")
        killed_ns = time.monotonic_ns()
        host.guard.kill()
        host.guard.wait_ready()
        host.wait_state("level-1", "tripped")
        self.assert_relay_opened(host, "level-1", killed_ns)
        self.assert_heat_ended(host, "level-1", killed_ns)


if __name__ == "__main__":
    unittest.main()
