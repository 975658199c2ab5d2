"""The main job, told in steps. Each step measures what it claims."""

import os
import pathlib
import signal
import time

from farm import ROOT, Farm, Timeout, wait_for
from network import Cable
from streamer import Streamer, gcode_lines

CUBE = ROOT / "tests" / "data" / "gcode" / "sliced_cube.gcode"
HOSTS = {"garage": ["ada", "bert", "cleo"], "attic": ["dora", "emil", "fay"]}
VICTIM = "bert"


def seconds_since(ns):
    return (time.monotonic_ns() - ns) / 1e9


class Story:
    def __init__(self, page, real_port=None, real_baud=115200):
        self.page = page
        self.real_port, self.real_baud = real_port, real_baud
        hosts = dict(HOSTS)
        self.real = None
        if real_port:
            self.real = hosts["attic"][-1]
            hosts["attic"] = {"printers": hosts["attic"][:-1], "real": {
                "name": self.real, "port": real_port, "baud": real_baud}}
        self.farm = Farm(hosts, coordinator=True, own_sensors=True)
        self.garage, self.attic = self.farm["garage"], self.farm["attic"]
        self.cables = {}
        self.streamer = None
        self.trip_event = None

    def close(self):
        if self.streamer:
            self.streamer.stop()
        for cable in self.cables.values():
            cable.close()
        self.farm.close()

    def tell(self, real_time_missing):
        page = self.page
        page.title("Firebreak: the main job on this machine",
                   "two printer hosts, six printers, one coordinator; every figure is measured")
        if self.real:
            page.note(f"{self.real_port} is a real printer: it is sent a stop (M112) at the start, is "
                      "watched, and is never heated.")
        if real_time_missing:
            page.note(f"{real_time_missing}: the guard runs with normal priority here, "
                      "and its times are those of a busy desktop.")
        steps = [("Coordinator, simulators and guards start", self.start),
                 ("Both agents enrol with one-time tokens", self.enrol),
                 ("Unknown means hot: every printer is stopped until a person resets it", self.look),
                 ("The printers are found and identified", self.identify),
                 ("A clean minute passes; a person releases them: armed, cold", self.arm),
                 (f"A host streams a sliced cube to {VICTIM} through the guard", self.stream),
                 (f"The switch of {VICTIM}'s hotend welds on", self.weld),
                 ("The coordinator shows it, with the evidence", self.show),
                 ("The network of the garage is pulled", self.pull),
                 ("Somebody presses the button in the garage", self.press),
                 ("The network returns; every event arrives exactly once", self.mend),
                 (f"The switch is repaired; a person resets {VICTIM} at the machine", self.reset),
                 (f"Probation passes; {VICTIM} is released, armed and cold", self.release)]
        for title, action in steps:
            with page.step(title) as step:
                action(step)
            if step.result == "failed" and action in (self.start, self.enrol):
                page.note("without this the rest cannot be played")
                self.farm.print_logs(15)
                break
        page.write()
        held = sum(1 for _, result in page.results if result == "ok")
        verdict = f"{held} of {len(steps)} steps held"
        page.write("  " + page.paint(verdict, "32;1" if held == len(steps) else "31;1"))

    # ---- the steps ----------------------------------------------------------------------------

    def start(self, step):
        self.farm.coordinator.start()
        for host in self.farm.hosts.values():
            host.start()
        step.measured("coordinator", f"https://127.0.0.1:{self.farm.coordinator.http_port}, its own "
                                     "CA, one admin token")
        for host in self.farm.hosts.values():
            step.measured(f"{host.name}", f"guard {memory_mb(host.guard.pid):.1f} MB resident, "
                                          f"{len(host.printers)} printers")

    def enrol(self, step):
        for name, host in self.farm.hosts.items():
            cable = self.cables[name] = Cable("127.0.0.1", self.farm.coordinator.agent_port)
            began = time.monotonic()
            host.enroll(self.farm.coordinator, "127.0.0.1", cable.port)
            self.wait_agent(name, True)
            step.measured(name, f"certificate signed, CA pinned, connected after "
                                f"{time.monotonic() - began:.1f} s")

    def identify(self, step):
        for host in self.farm.hosts.values():
            host.wait_links()
            for printer in host.ask.status()["printers"]:
                if printer["name"] == self.real:
                    self.tell_real(step, printer)
                    continue
                hot = max(heater["celsius"] for heater in printer["heaters"])
                step.measured(f"{host.name}/{printer['name']}",
                              f"{printer['identity']['machine']}, "
                              f"{printer['identity']['uuid'][-6:]}, {hot:.0f} °C, "
                              f"{'independent stop' if printer['independent_stop'] else 'no relay'}")

    def tell_real(self, step, printer):
        """The real printer is watched and stays latched: nobody asked for its heat."""
        seen = printer["identity"]["machine"] or f"no answer yet ({printer['link']['state']})"
        step.measured(f"{self.real} on {self.real_port}", f"real: {seen}, {printer['state']}")
        step.measured("", "it was stopped at the start (M112): press its reset button to talk to it")

    def look(self, step):
        for name, host in self.farm.hosts.items():
            states = {state for printer, state in host.ask.states().items()
                      if printer != self.real}
            step.check(states == {"tripped"}, f"{name} did not start stopped: {states}")
            host.begin_arming()
        step.measured("after its first start", "all tripped, relays open, stop bytes sent")
        step.measured("a person", "looks at each, presses its board's reset, types the latch number")

    def arm(self, step):
        began = time.monotonic()
        for host in self.farm.hosts.values():
            host.finish_arming()
        step.measured("power back, watched without heat", f"{time.monotonic() - began:.0f} s more, "
                                                          "all side by side")

    def stream(self, step):
        pty = self.garage.pty(VICTIM)
        self.streamer = Streamer(pty, gcode_lines(CUBE)).start()
        self.wait_hot(VICTIM, 195, 150)
        wait_for(lambda: self.streamer.lines_sent > 25, 60, "the first layer")
        step.check(self.streamer.error is None, f"the host gave up: {self.streamer.error}")
        truth = self.garage.sim.truth(VICTIM)
        step.measured("the host sees", f"{pty}")
        step.measured("lines acknowledged", f"{self.streamer.lines_sent}, resends "
                                            f"{self.streamer.resends}")
        step.measured("hotend", f"{truth['hotend']['true_celsius']:.0f} °C")

    def weld(self, step):
        sim = self.garage.sim
        welded_ns = time.monotonic_ns()
        sim.fault(VICTIM, "heater_on", heater="hotend")
        tripped = self.garage.wait_state(VICTIM, "cutting", "tripped", "not_cut", timeout_s=120)
        opened = sim.wait_relay(sim.relay(VICTIM), closed=False, after_ns=welded_ns)
        cold = sim.wait_heat_off(VICTIM, after_ns=welded_ns)
        proven = wait_for(lambda: (lambda p: p["outcome"] == "proven" and p)(
            self.garage.ask.printer(VICTIM)), 10, "the proof")
        hottest = sim.truth(VICTIM)["hotend"]["element_celsius"]
        passed = proven["last_pass"]
        step.measured("verdict", f"{tripped['first_cause']}, {(passed['latched_ns'] - welded_ns) / 1e9:.1f} s "
                                 f"after the weld; element at {hottest:.0f} °C")
        step.measured("verdict to stop bytes in the kernel", micro(passed, "write_ns"))
        step.measured("verdict to relay commanded open", micro(passed, "relay_ns"))
        step.measured("contact seen open by the simulator",
                      f"{(opened['ns'] - passed['latched_ns']) / 1e6:.1f} ms after the verdict")
        step.measured("heater really without power",
                      f"{(cold['ns'] - passed['latched_ns']) / 1e6:.1f} ms after the verdict")
        step.measured("outcome", f"{proven['outcome']} by the relay's feedback")
        self.see_cooling(step)
        others = {name: state for name, state in self.garage.ask.states().items() if name != VICTIM}
        step.check(set(others.values()) == {"armed"}, f"the others were touched: {others}")

    def see_cooling(self, step):
        # The firmware is dead and reads nothing any more: the host's own sensor sits on the block.
        def own_sensor():
            return self.garage.sim.truth(VICTIM)["hotend"]["true_celsius"]
        first, began = own_sensor(), time.monotonic()
        now = wait_for(lambda: (lambda now: now < first - 5 and now)(own_sensor()), 90,
                       "the block to cool by 5 K", every_s=0.25)
        step.measured("the host's own sensor", f"{first:.0f} → {now:.0f} °C in "
                                        f"{time.monotonic() - began:.0f} s")
        wait_for(lambda: not self.streamer.alive or self.streamer.error, 70,
                 "the host's print to end")
        step.measured("the host's print", f"ended: {self.streamer.error or 'its port hung up'}")

    def show(self, step):
        api = self.farm.coordinator.api
        seen = wait_for(lambda: (lambda p: p["state"] == "tripped" and p)(
            api.printer(VICTIM)), 15, "the coordinator to show the trip")
        trips = wait_for(lambda: [event for event in api.events() if event["printer"] == VICTIM
                                  and event["kind"] == "trip"
                                  and not starts_tripped(event)], 15, "the trip event")
        step.measured("state", f"{seen['state']}, {seen['outcome']}, "
                               f"causes {', '.join(seen['causes'])}")
        step.measured("event", trips[-1]["text"])
        verified = api.get("/api/v1/audit/verify")
        step.measured("record", f"{verified['valid']} of {verified['total']} audit entries verify")
        step.check(verified["invalid"] == 0, f"the audit record does not verify: {verified}")

    def pull(self, step):
        self.cables["garage"].cut()
        began = time.monotonic()
        self.wait_agent("garage", False)
        step.measured("coordinator notices", f"after {time.monotonic() - began:.1f} s")
        shown = wait_for(lambda: (lambda p: p["state"] == "unknown" and p)(
            self.farm.coordinator.api.printer("ada")), 15, "the state to be unknown")
        step.measured("ada is shown as", f"{shown['state']} (last told: {shown['reported_state']})")

    def press(self, step):
        sim = self.garage.sim
        running = {printer for printer in self.garage.printers
                   if sim.state(printer)["firmware"] == "running"}
        pressed_ns = sim.press("button")
        for printer in self.garage.printers:
            self.garage.wait_state(printer, "tripped", "not_cut", timeout_s=10)
        for printer in self.garage.printers:
            read = "its firmware is dead already, the bytes were sent all the same"
            if printer in running:
                fact = sim.wait_stop_read(printer, after_ns=pressed_ns)
                read = f"M112 read after {(fact['ns'] - pressed_ns) / 1e6:.1f} ms"
            seen = wait_for(lambda printer=printer: (lambda p: p["outcome"] == "proven" and p)(
                self.garage.ask.printer(printer)), 10, f"the proof of {printer}")
            passed = seen["last_pass"]
            step.measured(printer, f"bytes {micro(passed, 'write_ns', 'edge_ns')}, relay "
                                   f"{micro(passed, 'relay_ns', 'edge_ns')} after the edge; "
                                   f"{read}; "
                                   f"{seen['outcome']}")
        states = self.attic.ask.states()
        states.pop(self.real, None)
        step.check(set(states.values()) == {"armed"}, f"the attic was touched: {states}")
        step.measured("the attic", "untouched")

    def mend(self, step):
        self.cables["garage"].mend()
        began = time.monotonic()
        self.wait_agent("garage", True, 60)
        step.measured("connected again", f"after {time.monotonic() - began:.1f} s")
        local = [(event["log"], event["seq"]) for event in self.garage.ask.events()]
        api = self.farm.coordinator.api
        def stored():
            return [(event["log"], event["seq"]) for event in api.events()
                    if event["agent"] == "garage" and event["log"]]
        wait_for(lambda: set(local) <= set(stored()), 30, "all events of the garage")
        rows = stored()
        step.check(len(rows) == len(set(rows)), "an event is stored twice")
        for log in {log for log, _ in rows}:
            numbers = sorted(seq for each, seq in rows if each == log)
            step.check(numbers == list(range(1, len(numbers) + 1)), f"log {log} has a gap")
        step.measured("events of the garage", f"{len(rows)} stored, none missing, none twice")

    def reset(self, step):
        sim = self.garage.sim
        refused = self.garage.reset(VICTIM)
        step.check(not refused["ok"], "a reset with the button pressed must be refused")
        step.measured("with the button still pressed", f"refused: {refused['message'][:60]}")
        sim.release("button")
        sim.fault(VICTIM, "heater_on", on=False, heater="hotend")
        wait_for(lambda: self.garage.ask.status()["host"]["inputs"][0]["state"] == "released", 5,
                 "the released button")
        wrong = self.garage.ask.ask("reset", printer=VICTIM, latch_number=99999, reason="demo")
        step.check(not wrong["ok"], "a reset with a wrong number must be refused")
        for heater in ("hotend", "bed"):
            sim.set_temperature(VICTIM, 30, heater)
        step.measured("cooling down", "shortened: the simulator sets the block and the bed to 30 °C")
        self.garage.begin_arming()
        number = self.garage.ask.printer(VICTIM)["latch_number"]
        step.measured("a wrong number", "refused")
        step.measured("the right number, cold", f"latch {number} accepted, probation")

    def release(self, step):
        began = time.monotonic()
        self.garage.finish_arming()
        seen = self.garage.ask.printer(VICTIM)
        targets = [heater["target"] for heater in seen["heaters"]]
        step.check(seen["state"] == "armed", f"{VICTIM} is {seen['state']}")
        step.check(all(target == 0 for target in targets), f"targets are {targets}")
        step.measured("watched without heat", f"{time.monotonic() - began:.0f} s")
        step.measured(VICTIM, f"{seen['state']}, targets {targets}; nothing resumes by itself")

    # ---- helpers ------------------------------------------------------------------------------

    def wait_agent(self, name, connected, timeout_s=30):
        def so():
            agents = self.farm.coordinator.api.get("/api/v1/agents")
            rows = agents["agents"] if isinstance(agents, dict) else agents
            return any(row["name"] == name and row["connected"] == connected for row in rows)
        wait_for(so, timeout_s, f"{name} {'connected' if connected else 'gone'}", every_s=0.05)

    def wait_hot(self, printer, celsius, timeout_s):
        wait_for(lambda: self.garage.sim.truth(printer)["hotend"]["reading_celsius"] >= celsius,
                 timeout_s, f"{printer} at {celsius} °C", every_s=0.2)

    def stay_up(self):
        page, garage = self.page, self.garage
        local = f"build/dev/bin/firebreak --socket {garage.run_dir / 'control.sock'} local"
        page.write()
        page.write("  The farm stays up until Ctrl+C. In another terminal, in this folder:")
        for what, command in [
                ("what the garage says", f"{local} status"),
                ("stop it all, with no network at all", f"{local} stop --all"),
                ("the events", f"{local} events"),
                ("log in to the server room", self.login_command()),
                ("the whole fleet", "build/dev/bin/firebreak fleet"),
                ("stop everything from there", "build/dev/bin/firebreak stop --all"),
                ("press the button", garage.sim.hint("press", "button")),
                ("weld a heater", garage.sim.hint("fault", "ada"))]:
            page.write("    " + page.paint(f"# {what}", "2"))
            page.write(f"    {command}")
        page.write()
        signal.pause()

    def login_command(self):
        coordinator = self.farm.coordinator
        return (f"build/dev/bin/firebreak login https://127.0.0.1:{coordinator.http_port} "
                f"--ca {coordinator.ca_file} --token-file {coordinator.token_file}")


def starts_tripped(event):
    return any(word in event["text"] for word in ("bad_slot", "host_restart", "latch is missing"))


def micro(passed, until, since="latched_ns"):
    if not passed or passed.get(until) is None or passed.get(since) is None:
        return "unknown"
    return f"{(passed[until] - passed[since]) / 1e3:.0f} µs"


def memory_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")
