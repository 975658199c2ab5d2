"""One firebreak-sim process: a host's board and its printers, and what it recorded of them.

The record is the judge of every test: that heat ended, that a relay opened, that bytes were read is
taken from here, never from the guard."""

import json

from clients import LineClient
from process import Process, wait_for

# What the tests assume of a relay; the simulator's default hold time.
HOLD_MS = 1500
# The key, password or access code of every simulated network printer.
KEY = "a1b2c3d4e5"


class Simulator:
    def __init__(self, folder, binary, name, printers, relays="heartbeat", own_sensors=False,
                 seed=1, dialect=None, bodies=None, currents=(), kinds=None,
                 options=None):
        self.folder = folder
        self.name = name
        self.printers = list(printers)
        self.relay_kind = relays
        self.own_sensors = own_sensors
        self.seed = seed
        self.dialect = dict(dialect or {})
        self.bodies = dict(bodies or {})  # {printer: {heater: its physics}}, where not the default
        self.currents = list(currents)  # printers with a current sensor in the hotend's wire
        self.options = dict(options or {})  # further keys of each printer
        self.kinds = dict(kinds or {})  # {printer: its kind}, where not a serial one
        self.board_socket = folder / "board.sock"
        self.control_socket = folder / "control.sock"
        self.journal_path = folder / "journal.jsonl"
        self.config_path = folder / "sim.yaml"
        self.config_path.write_text(self.config())
        self.process = Process(f"sim {name}", [binary, "--config", self.config_path],
                               folder / "sim.log")
        self._read_to = 0
        self._facts = []
        self._partial = b""

    # ---- configuration ------------------------------------------------------------------------

    def port(self, printer):
        return self.folder / f"{printer}.tty"

    def relay(self, printer):
        return f"r-{printer}"

    def config(self):
        """sim.yaml; its keys are described in tests/simulator/README.md."""
        lines = [f"control: {self.control_socket}", f"journal: {self.journal_path}",
                 f"seed: {self.seed}",
                 "board:", f"  name: {self.name}", f"  socket: {self.board_socket}",
                 "  buttons:", "    - { name: button, line: button }",
                 "  alarm: { line: alarm }"]
        if self.relay_kind != "none":
            lines.append("  relays:")
        for printer in self.printers if self.relay_kind != "none" else []:
            common = f"name: {self.relay(printer)}, feedback_line: {printer}-contact"
            if self.relay_kind == "heartbeat":
                lines.append(f"    - {{ {common}, kind: heartbeat, pulse_line: {printer}-pulse, "
                             f"drop_line: {printer}-drop, hold_ms: {HOLD_MS} }}")
            else:
                lines.append(f"    - {{ {common}, kind: plain, line: {printer}-coil }}")
        if self.own_sensors:
            lines.append("  sensors:")
            lines += [f"    - {{ name: own-{printer}, line: {printer}-own, printer: {printer}, "
                      "heater: hotend }" for printer in self.printers]
        lines += self.current_sensors("  ")
        lines.append("printers:")
        for number, printer in enumerate(self.printers):
            dialect = {"uuid": f"cede2a2f-41a2-4748-9b12-{self.seed:06x}{number:06x}",
                       **self.dialect}
            lines += [f"  - name: {printer}", f"    dialect: {json.dumps(dialect)}",
                      *self.interface(printer)]
            if self.relay_kind != "none":
                lines.append(f"    relay: {self.relay(printer)}")
            keys = {**self.options, **self.bodies.get(printer, {})}
            lines += [f"    {key}: {json.dumps(value)}" for key, value in keys.items()]
        return "\n".join(lines) + "\n"

    def interface(self, printer):
        """How the printer is reached; every kind of network printer has the key KEY."""
        kind = self.kinds.get(printer)
        if kind is None:
            return [f"    port: {self.port(printer)}"]
        lines = [f"    kind: {kind}"]
        if kind == "klipper":
            return [*lines, f"    socket: {self.port(printer)}"]
        lines.append("    listen: 127.0.0.1:0")
        if kind in ("moonraker", "octoprint"):
            lines.append(f"    api_key: {KEY}")
        if kind == "prusalink":
            lines.append("    user: maker")
        if kind in ("prusalink", "reprapfirmware"):
            lines += [f"    password: {KEY}", f"    serial: SN-{printer}"]
        if kind == "bambu":
            lines += ["    serial: 01S00C123456789", f"    access_code: {KEY}"]
        return lines

    def current_sensors(self, indent):
        """The same on both sides of the wiring."""
        if not self.currents:
            return []
        return [f"{indent}currents:"] + [
            f"{indent}  - {{ name: amps-{printer}, line: {printer}-amps, printer: {printer}, "
            "heater: hotend }" for printer in self.currents]

    def board_yaml(self):
        """The guard's side of the same wiring (a host board of kind sim)."""
        lines = [f"name: sim-{self.name}", "kind: sim", f"socket: {self.board_socket}",
                 "inputs:",
                 "  - { name: button, line: button, kind: button, zone: all }"]
        if self.relay_kind != "none":
            lines.append("relays:")
        for printer in self.printers if self.relay_kind != "none" else []:
            covers = f"covers: [{printer}/hotend, {printer}/bed], rating: \"10 A 250 V AC\""
            if self.relay_kind == "heartbeat":
                lines.append(f"  - {{ name: {self.relay(printer)}, kind: heartbeat, "
                             f"pulse_line: {printer}-pulse, drop_line: {printer}-drop, "
                             f"hold_ms: {HOLD_MS}, feedback_line: {printer}-contact, {covers} }}")
            else:
                lines.append(f"  - {{ name: {self.relay(printer)}, kind: plain, "
                             f"line: {printer}-coil, feedback_line: {printer}-contact, {covers} }}")
        lines.append("alarm: { line: alarm }")
        if self.own_sensors:
            lines.append("sensors:")
            lines += [f"  - {{ name: own-{printer}, line: {printer}-own, printer: {printer}, "
                      "heater: hotend }" for printer in self.printers]
        lines += self.current_sensors("")
        return "\n".join(lines) + "\n"

    # ---- life ---------------------------------------------------------------------------------

    def start(self):
        self.process.start()
        def listening():
            if not self.process.running:
                raise AssertionError(f"firebreak-sim has ended: {self.process.log()[-2000:]}")
            with LineClient(self.control_socket):
                return True
        wait_for(listening, what=f"the control socket of sim {self.name}")
        return self

    def stop(self):
        self.process.stop()

    def ask(self, do, **arguments):
        with LineClient(self.control_socket) as client:
            answer = client.ask(do=do, **arguments)
        if not answer.get("ok"):
            raise AssertionError(f"the simulator refuses {do} {arguments}: {answer}")
        return answer

    # ---- the record ---------------------------------------------------------------------------

    def journal(self):
        """Everything recorded so far, oldest first."""
        try:
            with open(self.journal_path, "rb") as file:
                file.seek(self._read_to)
                data = file.read()
                self._read_to += len(data)
        except FileNotFoundError:
            return self._facts
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._facts += [json.loads(line) for line in lines if line.strip()]
        return self._facts

    def last_facts(self, count=25):
        """The newest facts as text, for a failure's message."""
        return "\n".join(f"  {fact}" for fact in self.journal()[-count:])

    def wait_fact(self, check, what, timeout_s=20.0):
        """The first recorded fact for which check(fact) holds."""
        return wait_for(lambda: next((fact for fact in self.journal() if check(fact)), None),
                        timeout_s, what)

    def facts(self, kind, after_ns=0, **fields):
        """Recorded facts of one kind at or after a time, whose fields are as given."""
        return [fact for fact in self.journal() if fact["fact"] == kind and fact["ns"] >= after_ns
                and all(fact.get(key) == value for key, value in fields.items())]

    def wait_recorded(self, kind, what, after_ns=0, timeout_s=20.0, **fields):
        found = wait_for(lambda: self.facts(kind, after_ns, **fields), timeout_s, what)
        return found[0]

    def wait_relay(self, relay, closed, after_ns=0, timeout_s=20.0):
        return self.wait_recorded("relay", f"{relay} {'closed' if closed else 'open'}", after_ns,
                                  timeout_s, relay=relay, closed=closed)

    def wait_stop_read(self, printer, after_ns=0, timeout_s=20.0):
        """The printer has read a whole M112."""
        return self.wait_recorded("m112_read", f"{printer} to read M112", after_ns, timeout_s,
                                  printer=printer)

    def cold_since(self, printer):
        """When the last heater of the printer lost its power, in ns; None while one has power.
        0: it never had any."""
        on = {}
        since = 0
        for fact in self.journal():
            if fact["fact"] == "heat" and fact["printer"] == printer:
                was_hot = any(on.values())
                on[fact["heater"]] = fact["on"]
                if was_hot and not any(on.values()):
                    since = fact["ns"]
        return None if any(on.values()) else since

    def wait_heat_off(self, printer, after_ns=0, timeout_s=20.0):
        """{"ns": since when no heater of the printer has had power}, and it has none now."""
        wait_for(lambda: self.cold_since(printer) is not None, timeout_s,
                 f"the end of {printer}'s heat")
        return {"ns": self.cold_since(printer)}

    def opens(self, printer, after_ns=0):
        """Openings of the port by hosts: each would be a DTR edge on a real board."""
        return len(self.facts("port_open", after_ns, printer=printer))

    # ---- what a test or a person does ---------------------------------------------------------

    def press(self, button="button"):
        """Presses; when, in CLOCK_MONOTONIC ns."""
        return self.ask("press", button=button)["pressed_ns"]

    def release(self, button="button"):
        return self.ask("release", button=button)["pressed_ns"]

    def fault(self, printer, fault, on=True, **more):
        self.ask("fault", printer=printer, fault=fault, on=on, **more)

    def set_temperature(self, printer, celsius, heater="hotend"):
        self.ask("set_temperature", printer=printer, heater=heater, celsius=celsius)

    def power_cycle(self, printer):
        """A person's reset button on the printer's board."""
        self.ask("reset", printer=printer)

    def state(self, printer):
        return self.ask("state", printer=printer)

    def truth(self, printer):
        """Heaters by name: what they really are."""
        return {heater["name"]: heater for heater in self.state(printer)["heaters"]}

    def hint(self, do, name):
        """A shell line that does the same, for people."""
        request = {"do": do, "button": name} if do == "press" else {
            "do": "fault", "printer": name, "fault": "heater_on", "on": True}
        return f"tests/demo/sim.py {self.control_socket} '{json.dumps(request)}'"
