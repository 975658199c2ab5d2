"""What a person can do at the machine after a stop, and what nobody can."""

import time
import unittest

from case import Farm, FarmTestCase, wait_for


class ResetTest(FarmTestCase):
    SECONDS = 600

    @classmethod
    def make_farm(cls):
        return Farm({"shop": ["s1"], "forge": ["f1"],
                     "bare": {"printers": ["b1"], "relays": "none"}}, own_sensors=True)

    def test_from_a_stop_to_armed_and_cold_by_the_command_line(self):
        host = self.farm["shop"]
        host.sim.press()
        host.wait_state("s1", "tripped")
        number = host.ask.printer("s1")["latch_number"]
        refused = host.local("reset", "s1", "--latch", number, "--reason", "test")
        self.assertEqual(6, refused.returncode, f"the button is still pressed: {refused}")
        host.sim.release()
        wait_for(lambda: host.ask.status()["host"]["inputs"][0]["state"] == "released", 5)
        wrong = host.local("reset", "s1", "--latch", number + 7, "--reason", "test")
        self.assertNotEqual(0, wrong.returncode)
        self.assertEqual("tripped", host.ask.printer("s1")["state"])
        host.begin_arming()
        self.assertEqual("probation", host.ask.printer("s1")["state"])

        # A host that heats on probation is held back, and the printer stays cold.
        reset_ns = time.monotonic_ns()
        self.host_streams(host, "s1", ["M104 S200", "M105", "G4 P200"] * 100)
        early = host.local("release", "s1")
        self.assertNotEqual(0, early.returncode, "probation is not over")
        host.finish_arming()
        seen = host.ask.printer("s1")
        self.assertEqual("armed", seen["state"])
        self.assertEqual([0, 0], [heater["target"] for heater in seen["heaters"]])
        self.assertEqual([], [fact for fact in host.sim.facts("heat", reset_ns, printer="s1")
                              if fact["on"]], "there was heat before the release")

    def test_repeats_that_a_dead_board_never_read_do_not_halt_it_again(self):
        host = self.farm["bare"]
        # Without a relay the stop is repeated until a person resets; a killed board reads none.
        answer = host.ask.ask("stop", printers=["b1"], who="test", cause="person")
        self.assertTrue(answer["ok"], answer)
        host.wait_state("b1", "tripped")
        host.begin_arming()
        host.finish_arming()
        self.assertEqual("armed", host.ask.printer("b1")["state"])

    def test_forged_temperatures_do_not_blind_the_guard(self):
        host = self.farm["forge"]
        forged = "M118 ok T:200.00 /200.00 B:25.00 /0.00 @:40 B@:0"
        self.host_streams(host, "f1", ["M104 S200", *[forged, "G4 P50"] * 4000])
        wait_for(lambda: host.ask.printer("f1")["heaters"][0]["target"] == 200, 20, "the target")
        host.sim.fault("f1", "protection_off")
        host.sim.fault("f1", "heater_on", heater="hotend")
        welded_ns = time.monotonic_ns()
        seen = host.wait_state("f1", "tripped", timeout_s=150)
        self.assertNotEqual("button", seen["first_cause"])
        host.sim.wait_heat_off("f1")
        self.assertLess(host.sim.truth("f1")["hotend"]["true_celsius"], 320)
        self.assert_relay_opened(host, "f1", welded_ns, 150_000)


if __name__ == "__main__":
    unittest.main()
