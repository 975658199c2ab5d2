"""From a person's stop to the stop as the printer read it, for each kind of link.

The clock starts before the request is written to the guard's control socket and ends at the
simulator's own record of what it read (`m112_read`, `stop_read`). Printers are latched after the
first stop; each later one sends again, so the way is the same. A PrusaLink printer is given a job that
ignores its cancel, since a cancel needs one."""

import random
import time
import urllib.request

from clients import LineClient
from farm import Farm, wait_for
from figures import bar, summary
from simulator import KEY

DESCRIPTION = "a person's stop to the stop as each kind of printer read it: p50, p99"
KINDS = {"serial": None, "klipper": "klipper", "moonraker": "moonraker", "octoprint": "octoprint",
         "prusalink": "prusalink", "reprapfirmware": "reprapfirmware"}
LIMIT_MS = {"serial": 10.0, "klipper": 10.0}
NETWORK_LIMIT_MS = 50.0
MISSED_AFTER_S = 2.0


def arguments(parser):
    parser.add_argument("--trials", type=int, default=1000)


class Reads:
    """The simulator's journal, read as it grows."""

    def __init__(self, sim):
        self.sim, self.seen = sim, 0

    def first_after(self, printer, since_ns):
        deadline = time.monotonic() + MISSED_AFTER_S
        while time.monotonic() < deadline:
            facts = self.sim.journal()
            for fact in facts[self.seen:]:
                self.seen += 1
                if (fact["fact"] in ("m112_read", "stop_read") and fact["printer"] == printer
                        and fact["ns"] >= since_ns):
                    return fact["ns"]
            time.sleep(0.0005)
        return None


def reconnect(host):
    """OctoPrint gives its printer up after each M112."""
    base = host.sim.state("octoprint")["address"]

    def call(method, path, body=None):
        request = urllib.request.Request(base + path, method=method, headers={
            "X-Api-Key": KEY, "Content-Type": "application/json"}, data=body)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read()
    call("POST", "/api/connection", b'{"command": "connect"}')
    wait_for(lambda: b"Operational" in call("GET", "/api/job"), 20, "OctoPrint's connection")


def one_kind(host, name, trials, guard):
    reads, times, missed = Reads(host.sim), [], 0
    randomly = random.Random(1)
    if name == "prusalink":
        host.sim.ask("print", printer=name, gcode="G4 S100000\n")
        wait_for(lambda: host.ask.printer(name)["printing"], 10, "the job")
    for _ in range(trials):
        if name == "octoprint":
            reconnect(host)
        since_ns = time.monotonic_ns()
        guard.ask(do="stop", printers=[name])
        read_ns = reads.first_after(name, since_ns)
        if read_ns is None:
            missed += 1
        else:
            times.append(read_ns - since_ns)
        # Between the guard's own repeats, and in every phase of everybody's rhythm.
        time.sleep(0.02 + randomly.random() * 0.03)
    return {**summary(times, 1e-6), "missed": missed, "trials": trials}


def run(options, _build):
    kinds = {name: kind for name, kind in KINDS.items() if kind}
    out, bars = {"trials": options.trials}, []
    with Farm({"bench": {"printers": list(KINDS), "kinds": kinds}}, relays="none",
              record_in_memory=True) as farm:
        host = farm["bench"]
        farm.start(immortal=True)
        wait_for(lambda: all(p["link"]["state"] in ("ready", "halted")
                             for p in host.ask.status()["printers"]), 60, "the links")
        with LineClient(host.run_dir / "control.sock") as guard:
            for name in KINDS:
                # OctoPrint connects for seconds before each.
                trials = min(options.trials, 100) if name == "octoprint" else options.trials
                figures = out[f"{name}_ms"] = one_kind(host, name, trials, guard)
                limit = LIMIT_MS.get(name, NETWORK_LIMIT_MS)
                bars += [bar(f"{name}: command to stop read, p99 (ms)", figures["p99"], limit),
                         bar(f"{name}: stops missed", figures["missed"], 0)]
    out["bars"] = bars
    return out
