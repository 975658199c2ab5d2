"""Printers of every kind in one farm: each one's real stop, what happens when the uplink dies, and
what bad answers do. Judged by the simulator's record where heat is concerned."""

import re
import subprocess
import time
import unittest

from case import Farm, FarmTestCase, wait_for
from clients import LineClient

# What each kind has for a stop, as the printer reads it.
STOPS = {"klipper": "emergency_stop", "moonraker": "emergency_stop", "octoprint": "M112",
         "prusalink": "cancel", "reprapfirmware": "M112"}
KINDS = list(STOPS)
NETWORK = [kind for kind in KINDS if kind != "klipper"]
HEATS = "M104 S200\nM109 S200\nG1 X10 E5 F100\n"

# A relay that is opened because nobody can be asked, or at once for a button.
AT_ONCE_MS = 1000
# Not acknowledged: 1.5 s. Acknowledged and silent: 3 s after that. Room for a loaded machine.
RUNG_MS = 3500
SILENT_MS = 7000
# docs/safety.md: a network printer that heats is cut after 15 s without a reading.
BLIND_S = 15


def mixed(name, kinds, **more):
    """A host with one printer of each kind, named after both."""
    printers = {f"{name}-{kind}": kind for kind in kinds}
    return {"printers": list(printers), "kinds": printers, **more}


class StopsOfEveryKindTest(FarmTestCase):
    SECONDS = 420

    @classmethod
    def make_farm(cls):
        return Farm({"stop": mixed("stop", KINDS), "press": mixed("press", KINDS),
                     "dead": mixed("dead", NETWORK), "blind": mixed("blind", NETWORK)})

    def heat_all(self, host):
        for printer in host.printers:
            host.sim.ask("print", printer=printer, gcode=HEATS)
        for printer in host.printers:
            host.sim.wait_recorded("heat", f"{printer} to heat", printer=printer, heater="hotend",
                                   on=True)
            wait_for(lambda printer=printer: self.known_target(host, printer) == 200, 20,
                     f"the guard to know of {printer}'s heat")

    def known_target(self, host, printer):
        return next(heater["target"] for heater in host.ask.printer(printer)["heaters"]
                    if heater["name"] == "hotend")

    def events_of(self, host, printer, kind):
        return [event["text"] for event in host.ask.events()
                if event["printer"] == printer and event["kind"] == kind]

    def test_a_persons_stop_reaches_each_kind_as_its_real_stop(self):
        host = self.farm["stop"]
        self.heat_all(host)
        asked_ns = {}
        for printer in host.printers:
            asked_ns[printer] = time.monotonic_ns()
            answer = host.ask.ask("stop", printers=[printer], who="test", cause="person")
            self.assertTrue(answer["ok"], answer)
        for printer, kind in host.sim.kinds.items():
            since_ns = asked_ns[printer]
            with self.subTest(kind):
                read = host.sim.wait_recorded("stop_read", f"{printer} to read its stop", since_ns,
                                              printer=printer)
                self.assertEqual(STOPS[kind], read["how"])
                self.assertLessEqual((read["ns"] - since_ns) / 1e6, AT_ONCE_MS)
                self.assert_heat_ended(host, printer, since_ns,
                                       RUNG_MS if kind == "prusalink" else AT_ONCE_MS)
                wait_for(lambda printer=printer: host.ask.printer(printer)["outcome"] == "proven",
                         60, f"{printer}'s stop to be proven")

        # The printer waits in M109 and reads nothing: its cancel stops no heat, the relay does.
        self.assert_relay_opened(host, "stop-prusalink", asked_ns["stop-prusalink"], RUNG_MS)
        steps = self.events_of(host, "stop-prusalink", "state")
        self.assertFalse([text for text in steps if "acknowledge" in text],
                         "a cancel was taken for a stop")
        # After M112 it shows no temperature: silent, and cut, though the uplink goes on talking.
        self.assert_relay_opened(host, "stop-octoprint", asked_ns["stop-octoprint"], SILENT_MS)

    def test_the_button_opens_every_relay_at_once_and_asks_each_printer_too(self):
        host = self.farm["press"]
        self.heat_all(host)
        pressed_ns = host.sim.press()
        for printer, kind in host.sim.kinds.items():
            with self.subTest(kind):
                self.assert_heat_ended(host, printer, pressed_ns, AT_ONCE_MS)
                self.assert_relay_opened(host, printer, pressed_ns, AT_ONCE_MS)
                self.assertIn("button", host.wait_state(printer, "tripped")["causes"])
        # PrusaLink's board has lost its power with its heaters and answers nobody.
        for printer in ("press-klipper", "press-moonraker", "press-octoprint"):
            host.sim.wait_recorded("stop_read", f"{printer} to read its stop", pressed_ns,
                                   printer=printer)

    def test_a_stop_without_an_uplink_opens_the_relay_at_once(self):
        host = self.farm["dead"]
        self.heat_all(host)
        host.uplink.kill()
        for printer in host.printers:
            wait_for(lambda printer=printer: host.ask.printer(printer)["link"]["state"] == "absent",
                     10, f"{printer} to be absent")
            self.assertEqual("armed", host.ask.printer(printer)["state"],
                             "a dead uplink alone stops no print")
        for printer in host.printers:
            asked_ns = time.monotonic_ns()
            host.ask.ask("stop", printers=[printer], who="test", cause="person")
            self.assert_relay_opened(host, printer, asked_ns, AT_ONCE_MS)
            self.assert_heat_ended(host, printer, asked_ns, AT_ONCE_MS)
            self.assertEqual([], host.sim.facts("stop_read", asked_ns, printer=printer))

    def test_blind_while_heating_is_cut_and_a_new_uplink_serves_again(self):
        host = self.farm["blind"]
        self.heat_all(host)
        host.uplink.kill()
        killed_ns = time.monotonic_ns()
        for printer in host.printers:
            opened = host.sim.wait_relay(host.sim.relay(printer), False, killed_ns,
                                         timeout_s=BLIND_S + 10)
            # The last reading is up to some seconds older than the uplink's end.
            waited_s = (opened["ns"] - killed_ns) / 1e9
            self.assertGreater(waited_s, BLIND_S - 5, f"{printer} was cut without being blind")
            self.assertIn("blind", host.wait_state(printer, "tripped")["causes"])
        host.start_uplink()
        for printer, kind in host.sim.kinds.items():
            # A board that the relay has cut off answers nobody, and that is told too.
            wait_for(lambda printer=printer: host.ask.printer(printer)["link"]["why"] !=
                     "it closed the connection", 20, f"a line for {printer}")
            if kind in ("moonraker", "octoprint"):
                wait_for(lambda printer=printer: host.ask.printer(printer)["link"]["state"] in
                         ("ready", "halted", "opening", "misconfigured"), 20,
                         f"{printer} to be served again")


class LinkStatesTest(FarmTestCase):
    """Links work without arming, so nothing is armed here."""

    SECONDS = 300

    @classmethod
    def make_farm(cls):
        return Farm({"klippy": mixed("klippy", ["klipper"]),
                     "bare": mixed("bare", NETWORK, relays="none"),
                     "twice": mixed("twice", ["octoprint", "prusalink"])})

    @classmethod
    def setUpClass(cls):
        cls.farm = cls.make_farm()
        try:
            cls.farm.start(immortal=True)
        except BaseException:
            cls.farm.close(failed=True)
            raise

    def link(self, host, printer):
        return host.ask.printer(printer)["link"]

    def wait_link(self, host, printer, *states, why="", timeout_s=30):
        def there():
            link = self.link(host, printer)
            return link if link["state"] in states and why in link["why"] else None
        return wait_for(there, timeout_s, f"{printer}'s link {'/'.join(states)} {why}")

    def test_klippy_shut_down_killed_and_restarting_are_states_of_their_own(self):
        host, printer = self.farm["klippy"], "klippy-klipper"
        self.wait_link(host, printer, "ready")
        host.sim.fault(printer, "halt_ignored", on=False)
        host.ask.ask("stop", printers=[printer], who="test", cause="person")
        self.wait_link(host, printer, "halted", why="Shutdown due to webhooks request")
        host.sim.fault(printer, "gone")
        self.wait_link(host, printer, "absent", why=".tty")
        # What comes back hot or not is stopped again: this one takes no stop, so that it is seen.
        host.sim.fault(printer, "halt_ignored")
        host.sim.fault(printer, "gone", on=False)
        self.wait_link(host, printer, "opening", why="klippy")
        self.wait_link(host, printer, "ready")

    def test_a_network_printer_without_a_relay_is_monitored_only(self):
        host = self.farm["bare"]
        warnings = host.ask.status()["warnings"]
        for printer, kind in host.sim.kinds.items():
            told = [text for text in warnings if f"{printer} is monitored only" in text]
            self.assertEqual(1, len(told), warnings)
            self.assertIn(kind, told[0])
            self.assertFalse(host.ask.printer(printer)["independent_stop"])

    def test_two_claims_on_one_printer_are_refused(self):
        host = self.farm["twice"]
        host.wait_links()
        said = host.uplink_yaml.read_text()
        addresses = re.findall(r'address: "([^"]*)"', said)
        twice = host.folder / "twice.yaml"
        twice.write_text(said.replace(addresses[1], addresses[0]))
        refused = self.run_uplink(twice)
        self.assertNotEqual(0, refused.returncode)
        self.assertIn("another printer has the address " + addresses[0], refused.stderr)

        other_kind = "octoprint" if host.sim.kinds["twice-prusalink"] == "prusalink" else ""
        for printer, kind in (("twice-prusalink", other_kind), ("nobody", "octoprint")):
            with LineClient(host.run_dir / "uplink.sock") as client:
                answer = client.ask(do="serve", printer=printer, kind=kind)
            self.assertFalse(answer["ok"], answer)
            self.assertIn(printer, answer["message"])

    def run_uplink(self, config):
        return subprocess.run([self.farm.binary("firebreak-uplink"), "--config", config],
                              capture_output=True, text=True, timeout=30)

    def test_a_second_line_replaces_the_first_and_the_uplink_takes_it_back(self):
        host, printer = self.farm["twice"], "twice-octoprint"
        host.wait_links()
        with LineClient(host.run_dir / "uplink.sock") as client:
            self.assertTrue(client.ask(do="serve", printer=printer, kind="octoprint")["ok"])
            client.send({"link": "blocked", "why": "said by the second one"})
            self.wait_link(host, printer, "blocked", why="said by the second one")
        self.wait_link(host, printer, "ready")
        texts = [event["text"] for event in host.ask.events() if event["printer"] == printer]
        self.assertTrue([text for text in texts if "connected anew" in text], texts)


# fault -> (states of the link, what its sentence says); the same for all HTTP kinds.
HTTP_FAULTS = {
    "gone": (("absent",), "not reachable"),
    "silent": (("absent",), "does not answer in time"),
    "slow": (("absent",), "does not answer in time"),
    "frozen_values": (("ready",), ""),
    "wrong_key": (("blocked",), "refuses the "),
    "redirect": (("misconfigured",), "redirects elsewhere"),
    "big_body": (("misconfigured",), "more than an answer may have"),
    "endless_body": (("misconfigured",), "more than an answer may have"),
    "invalid_utf8": (("misconfigured",), "no JSON"),
    "wrong_shape": (("misconfigured",), "check kind and address"),
    "cut_off": (("misconfigured",), "no whole answer"),
    "other_printer": (("wrong_printer",), "another printer"),
}
KLIPPER_FAULTS = {
    "gone": (("absent",), ".tty"),
    "silent": (("absent",), "klippy does not answer"),
    "slow": (("ready",), ""),
    "frozen_values": (("ready",), ""),
    "big_body": (("absent",), "klippy broke the protocol"),
    "endless_body": (("absent",), "klippy broke the protocol"),
    "invalid_utf8": (("absent",), "klippy sends what is no message"),
    "wrong_shape": (("absent",), "klippy sends what is no message"),
    "cut_off": (("absent",), "klippy closed it"),
    "other_printer": (("wrong_printer",), "another board"),
}
FLOODS = ("big_body", "endless_body")
SLOW_S = 5
# A reading each second, and room for a loaded machine.
STALE_MS = 5000
# What an uplink may grow by while all of its printers misbehave, and a guard.
GROWTH_KIB = 16 * 1024


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


class BadAnswersTest(FarmTestCase):
    """One host for each kind, one printer for each fault and one that is well."""

    SECONDS = 300

    @classmethod
    def make_farm(cls):
        hosts = {}
        for kind in KINDS:
            faults = cls.faults(kind)
            printers = {fault.replace("_", "-"): kind for fault in [*faults, "well"]}
            hosts[kind] = {"printers": list(printers), "kinds": printers}
        return Farm(hosts)

    @staticmethod
    def faults(kind):
        return KLIPPER_FAULTS if kind == "klipper" else HTTP_FAULTS

    @classmethod
    def setUpClass(cls):
        cls.farm = cls.make_farm()
        try:
            cls.farm.start(immortal=True)
            for host in cls.farm.hosts.values():
                host.wait_links(60)
        except BaseException:
            cls.farm.close(failed=True)
            raise

    def spoil(self, host, fault):
        printer = fault.replace("_", "-")
        if fault == "other_printer":
            # Another one has taken its address while it was away.
            host.sim.fault(printer, "gone")
            wait_for(lambda: host.ask.printer(printer)["link"]["state"] == "absent", 20,
                     f"{printer} to be away")
            host.sim.fault(printer, fault)
            host.sim.fault(printer, "gone", on=False)
        else:
            host.sim.fault(printer, fault, value=SLOW_S)

    def judge_link(self, host, fault, states, why):
        printer = fault.replace("_", "-")
        def there():
            link = host.ask.printer(printer)["link"]
            return link if link["state"] in states and why in link["why"] else None
        try:
            wait_for(there, 40, f"{host.name}/{printer}: {states} {why}")
        except AssertionError:
            self.fail(f"{host.name}/{printer}: {host.ask.printer(printer)['link']}, "
                      f"not {states} {why!r}")

    def watch(self):
        """The printers that are well are fresh, and nobody is asked twice at a time."""
        for name, host in self.farm.hosts.items():
            ages = [heater["age_ms"] for heater in host.ask.printer("well")["heaters"]]
            self.stale[name] = max(self.stale.get(name, 0), *ages)
            for printer in ("slow", "silent"):
                asked = host.sim.state(printer)["open_requests"]
                self.most_open[name, printer] = max(self.most_open.get((name, printer), 0), asked)

    def judge_all(self, chosen):
        for name, host in self.farm.hosts.items():
            for fault in filter(chosen, self.faults(name)):
                self.spoil(host, fault)
        for name, host in self.farm.hosts.items():
            for fault in filter(chosen, self.faults(name)):
                self.watch()
                with self.subTest(kind=name, fault=fault):
                    self.judge_link(host, fault, *self.faults(name)[fault])

    def mend(self, chosen):
        for name, host in self.farm.hosts.items():
            for fault in filter(chosen, self.faults(name)):
                printer = fault.replace("_", "-")
                away = fault == "other_printer"
                if away:
                    host.sim.fault(printer, "gone")
                host.sim.fault(printer, fault, on=False)
                if away:
                    host.sim.fault(printer, "gone", on=False)

    def test_each_is_a_named_state_and_no_other_printer_feels_it(self):
        self.stale, self.most_open = {}, {}
        talks = {name: (host.uplink.pid if host.uplink else host.guard.pid)
                 for name, host in self.farm.hosts.items()}
        before = {name: resident_kib(pid) for name, pid in talks.items()}
        self.judge_all(lambda fault: fault not in FLOODS)
        until = time.monotonic() + 10
        wait_for(lambda: self.watch() or time.monotonic() > until, 60, "ten seconds", every_s=0.1)
        # Floods keep the simulator busy: one at a time, and no longer than they are needed.
        for flood in FLOODS:
            self.judge_all(lambda fault, flood=flood: fault == flood)
            grown = {name: resident_kib(pid) - before[name] for name, pid in talks.items()}
            self.mend(lambda fault, flood=flood: fault == flood)
            self.assertEqual({}, {n: kib for n, kib in grown.items() if kib > GROWTH_KIB}, flood)
        for name, host in self.farm.hosts.items():
            with self.subTest(name):
                self.assertEqual("ready", host.ask.printer("well")["link"]["state"])
                self.assertLess(self.stale[name], STALE_MS, "the printer that is well went unheard")
        # An order of the guard's may stand beside a question; there is none without a cause.
        self.assertEqual({}, {key: count for key, count in self.most_open.items() if count > 1})

        self.mend(lambda fault: fault not in FLOODS)
        for host in self.farm.hosts.values():
            host.wait_links(60)


if __name__ == "__main__":
    unittest.main()
