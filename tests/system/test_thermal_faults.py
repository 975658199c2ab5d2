"""Every thermal fault, from the fault to the cut of power, by the detectors in the running guard.

The simulated firmware's own protection is off and it ignores M112, so that only the relay ends the
heat; that it did is read from the simulator's record. All faults happen side by side, a printer
each, beside printers without one."""

import dataclasses
import json
import os
import time
import unittest

from case import Farm, FarmTestCase
from heater_models import BED, BODIES, HOTEND, model_of, write_models
from process import Timeout, wait_for
from streamer import Streamer

FULL = bool(os.environ.get("FIREBREAK_FULL"))
# From arming to the last cut; several times what it takes on an idle machine.
PLAY_LIMIT_S = 300
HEATERS = ("hotend", "bed")
ASK = ("G4 P500", "M105")
ASKS = ASK * 1000
NEAR_KELVIN = 2  # of its target: arrived
# Which of them is the first depends on the machine and the moment; each group says the same.
TOO_HOT = ("D2 power.unexplained", "D3 idle-rise", "D5 overshoot")
NO_HEAT = ("D2 power.missing", "D5 heating.rate", "D5 hysteresis.heater")
SENSOR_OUT = ("D2 power.sensor-out", "D5 hysteresis.sensor", "D1 jump")
FROZEN = ("D2 power.missing", "D4 still", "D5 frozen", "D5 heating.rate")


@dataclasses.dataclass
class Play:
    """What happens to one printer: its host heats, and at some moment the fault begins."""

    fault: str = ""  # of the simulator, or "supply_off"; without one it is a neighbour
    heater: str = "hotend"  # whose fault it is
    heat: tuple = ()  # of G-code; without any the printer is idle, its host silent
    at: float = 0  # celsius, of the heater, that is waited for before the fault
    hold_s: float = 0  # how long it has been so hot when the fault begins
    value: float = 1
    commissioned: bool = False
    is_cut: bool = True  # else the fault is only warned of


def steady(fault, heater="hotend", target=100, hold_s=15, **more):
    """At its target when the fault begins."""
    command = "M104" if heater == "hotend" else "M140"
    return Play(fault, heater, (f"{command} S{target}",), target - NEAR_KELVIN, hold_s, **more)


def heat_up(fault, heater="hotend", at=80, **more):
    """Far from its target when the fault begins."""
    return Play(fault, heater, ("M104 S200",) if heater == "hotend" else ("M140 S60",), at, **more)


HOTENDS = {
    "idle-on": Play("heater_on"),
    "idle-half": Play("heater_on", value=0.5),
    "hot-on": steady("heater_on", commissioned=True),
    "hot-on-new": steady("heater_on"),
    "hot-half": steady("heater_on", value=0.5, commissioned=True),
    "hot-out": steady("sensor_out", target=150, commissioned=True),
    "hot-out-new": steady("sensor_out", target=150),
    "hot-dead": steady("heater_open", commissioned=True),
    "hot-frozen": steady("sensor_frozen", commissioned=True),
    "hot-pinned": steady("sensor_forced", value=97, commissioned=True),
    "up-dead": heat_up("heater_open", commissioned=True),
    "up-dead-new": heat_up("heater_open", at=50),
    "up-frozen": heat_up("sensor_frozen", commissioned=True),
    "up-short": heat_up("sensor_short"),
    "up-wire-off": heat_up("sensor_open"),
    "print": Play(heat=("M104 S200", "M140 S60"), commissioned=True),
}
BEDS = {
    "bed-on": Play("heater_on", "bed"),
    "bed-hot-on": steady("heater_on", "bed", 60, 10, commissioned=True),
    "bed-hot-on-new": steady("heater_on", "bed", 45, 5),
    "bed-hot-out": steady("sensor_out", "bed", 60, 10, commissioned=True),
    "bed-hot-out-new": steady("sensor_out", "bed", 60, 5),
    "bed-up-dead": heat_up("heater_open", "bed", 35, commissioned=True),
    "bed-up-frozen": heat_up("sensor_frozen", "bed", 35, commissioned=True),
    "swapped": Play("sensors_swapped", heat=("M104 S150",)),
    "hung": heat_up("hung"),
    "no-supply": Play("supply_off", heat=("M104 S120", "M140 S110"), at=118, hold_s=15,
                      commissioned=True, is_cut=False),
    "amps-on": Play("heater_on"),
    "amps-none": heat_up("heater_open", at=50),
    "learns": Play(heat=("M104 S160", *ASK * 80, "M104 S0")),
    "print-new": Play(heat=("M104 S200", "M140 S60")),
}
# A controller that asks for power all the time shows soon that none comes; one that switches asks
# for it rarely.
STEADY_BEDS = {
    "bed-hot-dead": steady("heater_open", "bed", 50, 5, commissioned=True),
    "idle": Play(),
    "misfit": Play(),
}
SLOW_BEDS = {
    "bed-hot-dead-switched": steady("heater_open", "bed", 60, 10, commissioned=True),
    "bed-up-frozen-new": heat_up("sensor_frozen", "bed", 35),
}
PLAYS = {"hotends": HOTENDS, "beds": {**BEDS, **(SLOW_BEDS if FULL else {})},
         "steady": STEADY_BEDS}
# As open as it can be, so that it needs much of its power to stay hot.
OPEN_BED = {**BED, "full_watts": 200, "body_joules_per_kelvin": 140, "loss_watts_per_kelvin": 3.0}


class ThermalFaultsTest(FarmTestCase):
    SECONDS = 600

    @classmethod
    def make_farm(cls):
        hosts = {host: {"printers": list(plays), "bodies": dict.fromkeys(plays, BODIES)}
                 for host, plays in PLAYS.items()}
        hosts["beds"]["currents"] = ["amps-on", "amps-none"]
        hosts["steady"]["dialect"] = {"bed_control": "pid"}
        hosts["steady"]["bodies"]["bed-hot-dead"] = {**BODIES, "bed": OPEN_BED}
        farm = Farm(hosts)
        cls.plays = {name: (farm[host], play) for host, plays in PLAYS.items()
                     for name, play in plays.items()}
        for name, (host, play) in cls.plays.items():
            if play.commissioned:
                bodies = hosts[host.name]["bodies"][name]
                write_models(host, name, model_of(bodies["hotend"]), model_of(bodies["bed"]))
        too_strong = {**model_of(HOTEND), "rise_kelvin_per_s": 9}
        write_models(farm["steady"], "misfit", too_strong, model_of(BED))
        return farm

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.armed_ns = time.monotonic_ns()
        cls.streamers = {name: Streamer(host.pty(name), [*play.heat, *ASKS]).start()
                         for name, (host, play) in cls.plays.items() if play.heat}
        try:
            cls.play_all()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for streamer in cls.streamers.values():
            streamer.stop()
        super().tearDownClass()

    # ---- acting -------------------------------------------------------------------------------

    @classmethod
    def play_all(cls):
        """Each fault begins when its heater is where it shall be. Ends when every printer that
        should be is cut, or too late: then the tests say which was not."""
        for name, (host, _) in cls.plays.items():
            for fault in ("protection_off", "halt_ignored"):
                host.sim.fault(name, fault)
        waiting = {name for name, (_, play) in cls.plays.items() if play.fault}
        to_cut = {name for name in waiting if cls.plays[name][1].is_cut}
        reached_s = {}

        def all_cut():
            readings = cls.readings()
            for name in sorted(waiting):
                _, play = cls.plays[name]
                if readings[name][play.heater] < play.at:
                    continue
                since_s = reached_s.setdefault(name, time.monotonic())
                if time.monotonic() - since_s >= play.hold_s:
                    waiting.remove(name)
                    cls.begin_fault(name)
            return not waiting and all(cls.cuts(name) for name in to_cut)
        try:
            wait_for(all_cut, PLAY_LIMIT_S, "every faulty printer to be cut", every_s=0.2)
        except Timeout as late:
            print(late)

    @classmethod
    def readings(cls):
        """What each printer's firmware is told, by printer and heater."""
        return {printer["name"]: {heater["name"]: heater["reading_celsius"]
                                  for heater in printer["heaters"]}
                for host in cls.farm.hosts.values()
                for printer in host.sim.ask("state")["printers"]}

    @classmethod
    def begin_fault(cls, name):
        host, play = cls.plays[name]
        if play.fault == "supply_off":
            for heater in HEATERS:
                host.sim.fault(name, "heater_open", heater=heater)
        else:
            host.sim.fault(name, play.fault, heater=play.heater, value=play.value)

    # ---- judging ------------------------------------------------------------------------------

    @classmethod
    def cuts(cls, name):
        """Openings of its relay since it was armed, by the simulator's record."""
        host, _ = cls.plays[name]
        return host.sim.facts("relay", cls.armed_ns, relay=host.sim.relay(name), closed=False)

    def began_ns(self, name):
        """When its fault began, by the simulator's record."""
        host, _ = self.plays[name]
        begun = [fact for fact in host.sim.facts("fault", self.armed_ns, printer=name)
                 if fact["fault"] not in ("protection_off", "halt_ignored")]
        self.assertTrue(begun, f"{name} never became ready for its fault; {host.sim.state(name)}\n"
                               f"{host.last_events(40)}")
        return begun[0]["ns"]

    def recorded(self, name, *kinds):
        """Heater, detector and rule of each verdict that the guard recorded since it was armed:
        trips, or what is asked for."""
        host, _ = self.plays[name]
        return [(HEATERS[event["data"]["heater"]], event["data"]["detector"],
                 event["data"]["rule"]) for event in host.ask.events()
                if event["printer"] == name and event["kind"] in (kinds or ("trip",))
                and "rule" in event["data"] and event["mono_ms"] >= self.armed_ns // 1_000_000]

    def assert_cut(self, name, *verdicts, doubts, heater=None):
        """Its relay opened after its fault, not before, and for good; M112 came as well. The first
        verdict is one of these ("D2 power.missing"), of this heater, whose sensor is doubted
        from then on, or is not."""
        host, play = self.plays[name]
        heater = heater or play.heater
        began_ns = self.began_ns(name)
        cuts = self.cuts(name)
        self.assertTrue(cuts, f"{name} was not cut: {host.sim.state(name)}\n{self.recorded(name)}")
        trips = wait_for(lambda: self.recorded(name), 10, f"the trip of {name} to be recorded")
        print(f"{name}: cut {(cuts[0]['ns'] - began_ns) * 1e-9:.1f} s after its fault by {trips}")
        self.assertGreater(cuts[0]["ns"], began_ns, f"cut before its fault, by {trips}")
        host.sim.wait_heat_off(name)
        host.sim.wait_stop_read(name, began_ns)
        self.assertIn(trips[0], [(heater, *verdict.split()) for verdict in verdicts])
        self.assert_trusts(name, heater, not doubts)
        self.assertEqual("tripped", host.wait_state(name, "tripped")["state"])

    def assert_trusts(self, name, heater, trusted):
        host, _ = self.plays[name]

        def seen():
            heaters = host.ask.printer(name)["heaters"]
            return next(h["trusted"] for h in heaters if h["name"] == heater) == trusted
        wait_for(seen, 10, f"{name}'s {heater} to be {'trusted' if trusted else 'doubted'}")

    # ---- the hotend ---------------------------------------------------------------------------

    def test_a_hotend_that_heats_though_idle(self):
        self.assert_cut("idle-on", *TOO_HOT, doubts=False)

    def test_a_hotend_that_heats_at_half_power_though_idle(self):
        self.assert_cut("idle-half", *TOO_HOT, doubts=False)

    def test_a_hotend_that_goes_on_heating_at_its_target(self):
        self.assert_cut("hot-on", *TOO_HOT, doubts=False)

    def test_a_hotend_that_goes_on_heating_at_its_target_before_it_was_commissioned(self):
        self.assert_cut("hot-on-new", *TOO_HOT, doubts=False)

    def test_a_hotend_that_goes_on_heating_at_half_power(self):
        self.assert_cut("hot-half", *TOO_HOT, doubts=False)

    def test_a_hotend_sensor_that_fell_out(self):
        self.assert_cut("hot-out", *SENSOR_OUT, doubts=True)

    def test_a_hotend_sensor_that_fell_out_before_it_was_commissioned(self):
        self.assert_cut("hot-out-new", *SENSOR_OUT, doubts=True)

    def test_a_hotend_heater_that_broke_at_its_target(self):
        self.assert_cut("hot-dead", *NO_HEAT, doubts=True)

    def test_a_hotend_heater_that_broke_in_the_heat_up(self):
        self.assert_cut("up-dead", *NO_HEAT, doubts=True)

    def test_a_hotend_heater_that_broke_in_the_heat_up_before_it_was_commissioned(self):
        self.assert_cut("up-dead-new", *NO_HEAT, doubts=True)

    def test_a_hotend_reading_that_froze_in_the_heat_up(self):
        self.assert_cut("up-frozen", *FROZEN, doubts=True)

    def test_a_hotend_reading_that_froze_at_its_target(self):
        self.assert_cut("hot-frozen", *FROZEN, doubts=True)

    def test_a_hotend_reading_that_is_pinned_under_its_target(self):
        self.assert_cut("hot-pinned", *FROZEN, doubts=True)

    def test_a_hotend_sensor_that_is_shorted(self):
        self.assert_cut("up-short", "D1 limit.high", "D1 jump", doubts=True)

    def test_a_hotend_sensor_whose_wire_broke(self):
        self.assert_cut("up-wire-off", "D1 limit.low", "D1 jump", doubts=True)

    # ---- the bed ------------------------------------------------------------------------------

    def test_a_bed_that_heats_though_idle(self):
        self.assert_cut("bed-on", *TOO_HOT, doubts=False)

    def test_a_bed_that_goes_on_heating_at_its_target(self):
        self.assert_cut("bed-hot-on", *TOO_HOT, doubts=False)

    def test_a_bed_that_goes_on_heating_at_its_target_before_it_was_commissioned(self):
        self.assert_cut("bed-hot-on-new", *TOO_HOT, doubts=False)

    def test_a_bed_sensor_that_fell_out_before_it_was_commissioned(self):
        self.assert_cut("bed-hot-out-new", *SENSOR_OUT, doubts=True)

    def test_a_bed_sensor_that_fell_out(self):
        self.assert_cut("bed-hot-out", *SENSOR_OUT, doubts=True)

    def test_a_bed_heater_that_broke_in_the_heat_up(self):
        self.assert_cut("bed-up-dead", *NO_HEAT, doubts=True)

    def test_a_bed_reading_that_froze_in_the_heat_up(self):
        self.assert_cut("bed-up-frozen", *FROZEN, doubts=True)

    def test_a_bed_heater_that_broke_at_its_target(self):
        self.assert_cut("bed-hot-dead", *NO_HEAT, doubts=True)

    @unittest.skipUnless(FULL, "takes half a minute more: set FIREBREAK_FULL")
    def test_a_bed_reading_that_froze_in_the_heat_up_before_it_was_commissioned(self):
        self.assert_cut("bed-up-frozen-new", *FROZEN, doubts=True)

    @unittest.skipUnless(FULL, "takes half a minute more: set FIREBREAK_FULL")
    def test_a_switched_bed_heater_that_broke_at_its_target(self):
        self.assert_cut("bed-hot-dead-switched", *NO_HEAT, doubts=True)

    # ---- the machine --------------------------------------------------------------------------

    def test_two_sensors_that_were_swapped(self):
        self.assert_cut("swapped", *TOO_HOT, doubts=False, heater="bed")

    def test_a_firmware_that_hangs_while_it_heats(self):
        self.assert_cut("hung", "D7 blind", doubts=True)

    def test_a_supply_that_failed_is_told_as_such(self):
        self.began_ns("no-supply")
        told = wait_for(lambda: self.recorded("no-supply", "warning", "trip"), 20, "the warning")
        self.assertEqual(("hotend", "D9", "supply.fell"), told[0])

    # ---- current sensors ----------------------------------------------------------------------

    def test_current_that_flows_though_the_heater_is_off(self):
        self.assert_cut("amps-on", "D8 current.stuck-on", doubts=False)

    def test_current_that_does_not_flow_though_the_heater_is_on(self):
        self.assert_cut("amps-none", "D8 current.none", doubts=False)

    # ---- models -------------------------------------------------------------------------------

    def hotend_model(self, name):
        host, _ = self.plays[name]
        return host.ask.printer(name)["models"][0]

    def test_a_model_that_the_profile_cannot_make_is_not_used(self):
        model = self.hotend_model("misfit")
        self.assertEqual(("asks_again", False), (model["state"], model["in_use"]))
        self.assertIn("heats with 9.00 K/s at full power", model["why"])
        host, _ = self.plays["misfit"]
        self.assertTrue(host.ask.printer("misfit")["models"][1]["in_use"], "its bed's is good")

    def test_prints_teach_a_model_that_is_used_once_a_person_approved_it(self):
        host, _ = self.plays["learns"]
        wait_for(lambda: self.hotend_model("learns")["proposed"], 60, "a proposal")
        model = self.hotend_model("learns")
        self.assertEqual(("uncommissioned", False), (model["state"], model["in_use"]))
        told = json.loads(host.local("models", "learns", "--json").stdout)["models"][0]
        self.assertEqual(("hotend", "prints"), (told["heater"], told["proposal"]["by"]))
        approved = host.local("approve-model", "learns", "--heater", "hotend")
        self.assertEqual(0, approved.returncode, approved)
        model = self.hotend_model("learns")
        self.assertEqual(("commissioned", True), (model["state"], model["in_use"]))
        # Only a model that knows this heater misses its power within seconds.
        self.streamers["learns"].stop()
        host.sim.fault("learns", "heater_open")
        self.host_streams(host, "learns", ["M104 S200", *ASKS])
        host.sim.wait_relay(host.sim.relay("learns"), False, self.armed_ns, 60)
        trips = wait_for(lambda: self.recorded("learns"), 10, "the trip")
        self.assertEqual(("hotend", "D2", "power.missing"), trips[0])

    # ---- the neighbours -----------------------------------------------------------------------

    def test_no_printer_without_a_fault_was_cut(self):
        for name in ("print", "print-new", "idle", "misfit"):
            host, play = self.plays[name]
            self.assertEqual([], self.cuts(name), f"{name}: {self.recorded(name)}")
            self.assertEqual("armed", host.ask.printer(name)["state"])
            if play.heat:
                self.assertGreater(host.sim.truth(name)["hotend"]["true_celsius"], 190)


if __name__ == "__main__":
    unittest.main()
