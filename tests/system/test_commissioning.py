"""The guard heats a simulated printer by itself: only for a person, only while that person stays.
Judged by the simulator's own record."""

import json
import os
import pty
import subprocess
import time
import unittest

from case import ROOT, Farm, FarmTestCase, wait_for

FULL = bool(os.environ.get("FIREBREAK_FULL"))


class PressedFarm(Farm):
    """Every button is pressed once before the printers are armed: commissioning wants that."""

    def arm(self, *arguments, **more):
        for host in self.hosts.values():
            host.sim.press()
            for printer in host.printers:
                host.wait_state(printer, "tripped")
            host.sim.release()
            wait_for(lambda: host.ask.status()["host"]["inputs"][0]["state"] == "released", 5)
        return super().arm(*arguments, **more)


def labelled_profile():
    """generic-marlin, where the hotend's label is known: 40 W; its block and nozzle weigh 30 g."""
    text = (ROOT / "boards" / "printers" / "generic-marlin.yaml").read_text()
    return text.replace("name: generic-marlin", "name: labelled").replace(
        "  - name: hotend\n", "  - name: hotend\n    heater_watts: 40\n    heated_mass_g: 30\n")


class CommissioningTest(FarmTestCase):
    SECONDS = 900

    @classmethod
    def make_farm(cls):
        hosts = {"away": ["a1"], "closed": ["c1"], "alone": ["n1"]}
        if not FULL:
            return PressedFarm(hosts)
        hosts["whole"] = {"printers": ["w1", "strong"], "profile": "labelled",
                          "bodies": {"strong": {"hotend": {"full_watts": 50}}}}
        farm = PressedFarm(hosts)
        (farm["whole"].folder / "labelled.yaml").write_text(labelled_profile())
        return farm

    def step(self, host, printer, step):
        return host.ask.ask("commission", printer=printer, step=step)

    def begin(self, host, printer):
        """Asks until the printer reports: a reading of the cold heaters must be fresh."""
        began_ns = time.monotonic_ns()
        wait_for(lambda: self.step(host, printer, "begin")["ok"], 20, "the heat-up to begin",
                 every_s=0.5)
        return began_ns

    def watch(self, host, printer, until, what, timeout_s, confirm=False):
        """Looks twice a second, as the command line does, until something holds."""
        confirmed_s = time.monotonic()
        end_s = confirmed_s + timeout_s
        while time.monotonic() < end_s:
            seen = self.step(host, printer, "look")
            if confirm and seen.get("running") and time.monotonic() - confirmed_s > 30:
                confirmed_s = time.monotonic()
                self.assertTrue(self.step(host, printer, "confirm")["ok"])
            if until(seen):
                return seen
            time.sleep(0.5)
        self.fail(f"waited {timeout_s} s for {what}; {seen}\n{host.last_events()}")

    def test_without_a_terminal_the_checks_are_told_and_nothing_heats(self):
        host = self.farm["alone"]
        since_ns = time.monotonic_ns()
        def ready():
            return json.loads(host.local("commission", "n1", "--json").stdout)["ready"]
        wait_for(ready, 20, "a fresh reading of the cold heaters", every_s=0.5)
        told = host.local("commission", "n1")
        self.assertEqual(8, told.returncode, told)
        self.assertIn("needs a person at a terminal", told.stderr)
        self.assertEqual([], host.sim.facts("heat", since_ns, printer="n1", on=True))

    def test_a_confirmation_that_does_not_come_ends_the_heat(self):
        host = self.farm["away"]
        began_ns = self.begin(host, "a1")
        heats = lambda _: host.sim.facts("heat", began_ns, printer="a1", heater="hotend", on=True)
        self.watch(host, "a1", heats, "heat", 60)
        self.watch(host, "a1", lambda seen: not seen["running"], "its end", 90)
        host.wait_state("a1", "tripped")
        self.assertIn("unattended", host.ask.printer("a1")["causes"])
        host.sim.wait_heat_off("a1")
        host.sim.wait_stop_read("a1", began_ns)
        result = self.step(host, "a1", "look")["result"]
        self.assertEqual("stopped", result["outcome"])
        self.assertIn("nobody confirmed", result["reason"])
        self.assertEqual(["uncommissioned"] * 2,
                         [model["state"] for model in host.ask.printer("a1")["models"]])

    def test_closing_the_command_line_ends_the_heat(self):
        host = self.farm["closed"]
        master, slave = pty.openpty()
        command = subprocess.Popen(
            [self.farm.binary("firebreak"), "--socket", host.run_dir / "control.sock", "local",
             "commission", "c1"], stdin=slave, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(command.kill)
        os.close(slave)
        began_ns = time.monotonic_ns()
        # The person reads what is asked, and presses Enter.
        def begun():
            os.write(master, b"\n")
            return host.ask.printer("c1")["commissioning"]
        wait_for(begun, 20, "the heat-up to begin", every_s=0.5)
        host.sim.wait_recorded("heat", "heat", began_ns, 60, printer="c1", on=True)
        command.kill()
        command.wait()
        os.close(master)
        host.wait_state("c1", "tripped")
        self.assertIn("unattended", host.ask.printer("c1")["causes"])
        host.sim.wait_heat_off("c1")

    @unittest.skipUnless(FULL, "takes as long as a heat-up: set FIREBREAK_FULL")
    def test_printers_are_commissioned_and_what_a_profile_cannot_make_is_refused(self):
        host = self.farm["whole"]
        for printer in host.printers:
            self.begin(host, printer)

        # Both heat side by side, and whoever watches one watches the other.
        def both_ended(seen):
            strong = self.step(host, "strong", "look")
            if strong["running"]:
                self.step(host, "strong", "confirm")
            return not seen["running"] and not strong["running"]
        seen = self.watch(host, "w1", both_ended, "the end of both", 850, confirm=True)
        self.assertEqual("learned", seen["result"]["outcome"], seen)
        refused = self.step(host, "strong", "look")["result"]
        self.assertEqual("refused", refused["outcome"], refused)
        self.assertIn("40 W in 30 g make", refused["heaters"][0]["why"])
        self.assertEqual([True, True], self.models_in_use(host, "w1"))
        self.assertEqual([False, True], self.models_in_use(host, "strong"))
        self.assertEqual({"w1": "armed", "strong": "armed"}, host.ask.states())
        host.guard.kill()
        wait_for(lambda: self.models_in_use(host, "w1") == [True, True], 20,
                 "the models after a restart")
        self.assertEqual([False, True], self.models_in_use(host, "strong"))

    @staticmethod
    def models_in_use(host, printer):
        return [model["in_use"] for model in host.ask.printer(printer)["models"]]


if __name__ == "__main__":
    unittest.main()
