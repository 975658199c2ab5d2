"""A whole farm in a temporary folder: coordinator, agents (guard and uplink), simulated printers.

    with Farm({"garage": ["p1", "p2"]}) as farm:
        farm.start()
        farm.arm()

Every guard runs under a NotifyManager, as it would under systemd. All times are the product's own.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from clients import Api, Guard
from notify_manager import NotifyManager
from process import Process, Timeout, wait_for
from simulator import KEY, Simulator

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("FIREBREAK_BUILD", ROOT / "build" / "dev"))

# 10 s open, the boot of the board, 60 s clean, and room for a busy machine.
ARM_TIMEOUT_S = 150


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Host:
    """One printer host: a simulator, a guard and, if there is a coordinator, an uplink."""

    def __init__(self, farm, name, printers, relays, own_sensors, dialect, profile, real=None,
                 bodies=None, currents=(), kinds=None,
                 printer_options=None):
        """`bodies`: {printer: {heater: its physics}} of the simulator, where not the default;
        `currents`: printers with a current sensor in the hotend's wire; `kinds`: {printer: kind}
        of those that are not serial; `printer_options`: further keys of each simulated
        printer."""
        self.farm, self.name, self.printers = farm, name, list(printers)
        self.folder = farm.folder / name
        self.run_dir, self.state_dir = self.folder / "run", self.folder / "state"
        self.uplink_dir = self.folder / "uplink"
        sim_folder = (farm.memory or self.folder) / "sim" / name
        for folder in (self.run_dir, self.state_dir, self.uplink_dir, sim_folder):
            folder.mkdir(parents=True)
        self.profile = profile
        self.trusts = False
        self.real = real  # {"name", "port", "baud"} of a real printer beside the simulated ones
        self.sim = Simulator(sim_folder, farm.binary("firebreak-sim"), name, printers, relays,
                             own_sensors, seed=len(farm.hosts) + 1, dialect=dialect,
                             bodies=bodies, currents=currents, kinds=kinds,
                             options=printer_options)
        self.guard_yaml = self.folder / "guard.yaml"
        self.uplink_yaml = self.folder / "uplink.yaml"
        self.write_guard_config()
        self.guard = NotifyManager(
            [farm.binary("firebreak-guard"), "--config", self.guard_yaml], self.folder,
            self.folder / "guard.log", watchdog_s=farm.watchdog_s, stop_post=self.stop_post)
        self.uplink = None
        self.ask = Guard(self.run_dir / "control.sock")

    def stop_post(self, result):
        """What ExecStopPost= of the unit does: plain relays cannot open by themselves."""
        subprocess.run([self.farm.binary("firebreak-guard"), "--config", self.guard_yaml,
                        "--open-plain-relays"], env={**os.environ, "SERVICE_RESULT": result},
                       capture_output=True, timeout=10)

    # ---- configuration ------------------------------------------------------------------------

    def write_guard_config(self):
        (self.folder / "board.yaml").write_text(self.sim.board_yaml())
        lines = [f"agent: {self.name}", f"run_dir: {self.run_dir}", f"state_dir: {self.state_dir}",
                 "board: board.yaml", *(["grant_key: grant.pub"] if self.trusts else []),
                 "printers:"]
        for printer in self.printers:
            relay = f"relay: {self.sim.relay(printer)}, " if self.sim.relay_kind != "none" else ""
            lines.append(f"  - {{ name: {printer}, profile: {self.profile}, "
                         f"{self.reached(printer)}, {relay}pty: {printer} }}")
        if self.real:
            lines.append(f"  - {{ name: {self.real['name']}, profile: {self.profile}, "
                         f"port: {self.real['port']}, baud: {self.real['baud']}, "
                         f"pty: {self.real['name']} }}")
        self.guard_yaml.write_text("\n".join(lines) + "\n")

    def reached(self, printer):
        """How guard.yaml says that a printer is reached."""
        kind = self.sim.kinds.get(printer)
        if kind is None:
            return f"port: {self.sim.port(printer)}, baud: 115200"
        how = f"klipper: {self.sim.port(printer)}" if kind == "klipper" else f"network: {kind}"
        return how + self.identity(printer)

    def identity(self, printer):
        """Who must answer there, as both configurations say it."""
        kind = self.sim.kinds.get(printer)
        if kind in ("prusalink", "reprapfirmware"):
            return f", identity: {{ uuid: SN-{printer} }}"
        return "" if kind == "bambu" else f", identity: {{ machine: {printer} }}"

    def network_printers(self):
        return {p: kind for p, kind in self.sim.kinds.items() if kind != "klipper"}

    def write_uplink_config(self, host="127.0.0.1", port=1):
        lines = [f"agent: {self.name}", f"guard_socket: {self.run_dir / 'uplink.sock'}",
                 f"state_dir: {self.uplink_dir}", f"coordinator: {{ host: {host}, port: {port} }}"]
        if self.network_printers():
            key_file = self.folder / "printers.key"
            key_file.touch(0o600)
            key_file.write_text(KEY + "\n")
            lines.append("printers:")
        for printer, kind in self.network_printers().items():
            address = self.sim.state(printer)["address"]
            lines.append(f"  - {{ name: {printer}, kind: {kind}, address: \"{address}\", "
                         f"key_file: printers.key{self.identity(printer)} }}")
        self.uplink_yaml.write_text("\n".join(lines) + "\n")

    def start_uplink(self):
        """Network printers need no coordinator; one that is not enrolled serves them alone."""
        self.uplink = Process(f"uplink {self.name}",
                              [self.farm.binary("firebreak-uplink"), "--config", self.uplink_yaml],
                              self.folder / "uplink.log").start()

    # ---- life ---------------------------------------------------------------------------------

    def start(self, immortal=False):
        """`immortal`: printers whose firmware ignores M112, so that they outlive the stop that every
        first start sends (unknown means hot)."""
        self.sim.start()
        for printer in self.printers if immortal else []:
            self.sim.fault(printer, "halt_ignored")
        self.guard.start()
        self.guard.wait_ready()
        if self.network_printers() and not self.farm.coordinator:
            self.write_uplink_config()
            self.start_uplink()
        return self

    def trust(self, coordinator):
        """The person who sets the host up lets this coordinator's key reset the milder causes; the
        guard reads it at its start."""
        done = self.local("enroll", "--key-file", coordinator.state_dir / "reset.pub",
                          "--out", self.folder / "grant.pub")
        if done.returncode != 0:
            raise AssertionError(f"local enroll of {self.name} failed: {done}")
        self.trusts = True
        self.write_guard_config()

    def enroll(self, coordinator, host=None, port=None):
        """Token from the coordinator, certificate for the agent; then the uplink runs."""
        self.write_uplink_config(host or coordinator.host, port or coordinator.agent_port)
        token = coordinator.api.post("/api/v1/enrollments", {"agent": self.name})["token"]
        token_file = self.folder / "token"
        token_file.write_text(token + "\n")
        token_file.chmod(0o600)
        binary = self.farm.binary("firebreak-uplink")
        done = subprocess.run([binary, "enroll", "--config", self.uplink_yaml, "--token-file",
                               token_file], capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise AssertionError(f"enrolling {self.name} failed ({done.returncode}): "
                                 f"{done.stdout}{done.stderr}")
        self.start_uplink()

    def stop(self):
        if self.uplink:
            self.uplink.kill()
        self.guard.close()
        self.sim.stop()
        if os.path.ismount(self.state_dir):
            subprocess.run(["umount", "--lazy", self.state_dir], check=False)

    # ---- what a person would do ---------------------------------------------------------------

    def pty(self, printer):
        return pathlib.Path(self.ask.printer(printer)["pty"])

    def local(self, *arguments, timeout_s=30):
        """`firebreak local ...` on this host; a CompletedProcess."""
        return subprocess.run(
            [self.farm.binary("firebreak"), "--socket", self.run_dir / "control.sock", "local",
             *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s)

    def wait_state(self, printer, *states, timeout_s=30):
        seen = {}
        def there():
            seen.update(self.ask.printer(printer))
            return seen["state"] in states
        try:
            wait_for(there, timeout_s, f"{printer} in {'/'.join(states)}")
        except Timeout as error:
            raise Timeout(f"{error}; it is {seen}\n{self.last_events()}") from None
        return seen

    def last_events(self, count=15):
        """The newest events as text, for a failure's message."""
        return "\n".join(f"  {event['seq']:>4} {event['mono_ms']} {event['kind']} "
                         f"{event['printer'] or ''}: {event['text']}"
                         for event in self.ask.events()[-count:])

    def wait_links(self, timeout_s=30):
        """Every printer answers and has a trusted temperature."""
        def all_ready():
            printers = [printer for printer in self.ask.status()["printers"]
                        if printer["name"] in self.printers]
            return all(p["link"]["state"] == "ready"
                       and all(h["celsius"] is not None for h in p["heaters"]) for p in printers)
        wait_for(all_ready, timeout_s, f"the links of {self.name}")

    def reset(self, printer, reason="test"):
        """A person measures with a thermometer of their own, and resets at the machine."""
        heaters = self.sim.truth(printer).values()
        hottest = max(heater["true_celsius"] for heater in heaters)
        return self.ask.ask("reset", printer=printer, reason=reason, measured_celsius=hottest,
                            latch_number=self.ask.printer(printer)["latch_number"])

    def begin_arming(self):
        """Resets the host and every printer that is latched, and presses the reset button of each
        board, which M112 has killed for ever; does not wait for the clean minute."""
        status = self.ask.status()
        if status["host"]["latched"]:
            answer = self.ask.ask("reset", host=True, reason="test",
                                  latch_number=status["host"]["latch_number"])
            if not answer["ok"]:
                raise AssertionError(f"host reset refused: {answer}")
        for printer in self.printers:
            # On its way to "tripped" it is latched as well.
            latched = ("stopping", "cutting", "tripped")
            if self.ask.printer(printer)["state"] in latched:
                def accepted(printer=printer):
                    answer = self.reset(printer)
                    if not answer["ok"] and self.ask.printer(printer)["state"] in latched:
                        self.last_refusal = answer
                        return False
                    return True
                try:
                    wait_for(accepted, 40, f"the reset of {printer}", every_s=0.25)
                except Timeout as error:
                    raise Timeout(f"{error}; {getattr(self, 'last_refusal', '')}") from None
                self.sim.power_cycle(printer)

    def finish_arming(self, timeout_s=ARM_TIMEOUT_S):
        """Waits for the clean minute of each printer, and releases it."""
        for printer in self.printers:
            def clean(printer=printer):
                seen = self.ask.printer(printer)
                if seen["state"] in ("armed", "watch"):
                    return True
                if seen["state"] != "probation":
                    raise AssertionError(f"{printer} left probation: {seen}\n"
                                         f"{self.last_events()}\n{self.sim.last_facts()}")
                return (seen.get("probation") or {}).get("phase") == "clean"
            wait_for(clean, timeout_s, f"{printer}'s clean minute", every_s=0.2)
            if self.ask.printer(printer)["state"] == "probation":
                answer = self.ask.ask("release", printer=printer)
                if not answer["ok"]:
                    raise AssertionError(f"release of {printer} refused: {answer}")
            self.wait_state(printer, "armed", "watch")


class Coordinator:
    def __init__(self, farm):
        self.farm = farm
        self.folder = farm.folder / "coordinator"
        self.state_dir = self.folder / "state"
        self.folder.mkdir(parents=True)
        self.host = "127.0.0.1"
        self.http_port, self.agent_port = free_port(), free_port()
        self.yaml = self.folder / "coordinator.yaml"
        self.yaml.write_text(
            f"state_dir: {self.state_dir}\n"
            f"http: {{ listen: {self.host}, port: {self.http_port} }}\n"
            f"agents: {{ listen: {self.host}, port: {self.agent_port} }}\n")
        self.process = Process("coordinator", [farm.binary("firebreak-coordinator"), "--config",
                                               self.yaml], self.folder / "coordinator.log")
        self.api = None

    @property
    def ca_file(self):
        return self.state_dir / "ca.pem"

    @property
    def token_file(self):
        return self.state_dir / "admin.token"

    def start(self):
        self.process.start()
        wait_for(lambda: self.token_file.exists() and self.ca_file.exists(),
                 what="the coordinator's CA and admin token")
        self.api = Api(self.host, self.http_port, self.ca_file,
                       self.token_file.read_text().strip())
        def ready():
            if not self.process.running:
                raise AssertionError(f"the coordinator has ended:\n{self.process.log()[-4000:]}")
            return self.api.request("GET", "/readyz")[0] == 200
        wait_for(ready, what="the coordinator to be ready", every_s=0.05)
        return self

    def kill(self):
        self.process.kill()

    def stop(self):
        self.process.stop()


class Farm:
    def __init__(self, hosts, coordinator=False, relays="heartbeat", own_sensors=False,
                 dialect=None, profile="generic-marlin", watchdog_s=2.0, keep=False,
                 record_in_memory=False, printer_options=None):
        """`record_in_memory`: the simulators' journals do not wait for a disk, for a bench."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fb-"))
        self.memory = None
        if record_in_memory and os.access("/dev/shm", os.W_OK):
            self.memory = pathlib.Path(tempfile.mkdtemp(prefix="fb-", dir="/dev/shm"))
        self.keep = keep or bool(os.environ.get("FIREBREAK_KEEP"))
        self.watchdog_s = watchdog_s * (5 if os.environ.get("FIREBREAK_SANITIZED") else 1)
        self.coordinator = Coordinator(self) if coordinator else None
        self.hosts = {}
        for name, printers in hosts.items():
            options = {"relays": relays, "own_sensors": own_sensors, "dialect": dialect,
                       "profile": profile, "printer_options": printer_options}
            if isinstance(printers, dict):
                options.update({k: v for k, v in printers.items() if k != "printers"})
                printers = printers["printers"]
            self.hosts[name] = Host(self, name, printers, **options)

    def binary(self, name):
        path = BUILD / "bin" / name
        if not path.exists():
            raise FileNotFoundError(f"{path} is not built; run ./dev build")
        return path

    def __getitem__(self, name):
        return self.hosts[name]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(failed=kind is not None)

    def start(self, immortal=False):
        if self.coordinator:
            self.coordinator.start()
        for host in self.hosts.values():
            if self.coordinator:
                host.trust(self.coordinator)
            host.start(immortal)
            if self.coordinator:
                host.enroll(self.coordinator)
        return self

    def arm(self, timeout_s=ARM_TIMEOUT_S):
        """Every printer of every host, all minutes side by side."""
        for host in self.hosts.values():
            host.begin_arming()
        for host in self.hosts.values():
            host.finish_arming(timeout_s)
        return self

    def close(self, failed=False):
        for host in self.hosts.values():
            host.stop()
        if self.coordinator:
            self.coordinator.stop()
        if failed:
            self.print_logs()
        if self.memory:
            shutil.rmtree(self.memory, ignore_errors=True)
        if not (self.keep and failed):
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"the farm is kept in {self.folder}")

    def print_logs(self, lines=40):
        for host in self.hosts.values():
            ends = [(round(at - host.guard.starts[0], 3), result)
                    for at, _, result in host.guard.exits]
            print(f"--- guard {host.name}: ended (seconds after its first start) {ends}")
        for log in sorted(self.folder.rglob("*.log")):
            text = log.read_text(errors="replace").splitlines()[-lines:]
            if text:
                print(f"--- {log.relative_to(self.folder)}")
                print("\n".join(text))
