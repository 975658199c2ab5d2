"""From a press of the button to the stop bytes and the relay, many thousand times.

write: the kernel has taken the whole first stop line on the last port. relay: the relay's command
has left on the last relay. Both are the guard's own stamps against the edge that the simulator
stamped on the same clock. read: the last simulated printer has returned from the read that held the
M112; the simulator's own record, and the judge of `missed`.

Every press sends again, so presses come one after another on latched printers, whose firmware is
told to ignore M112 and whose hosts go on streaming what the allowlist passes.

As every tool that measures wake-ups does (cyclictest), it asks the kernel to keep the processors
out of their sleep states meanwhile, where it may; a Raspberry Pi has none that takes long, a virtual
machine's can take milliseconds. `--let-sleep` measures without."""

import contextlib
import os
import random
import struct
import subprocess
import time

from clients import LineClient
from farm import Farm, wait_for
from figures import bar, summary
from streamer import Streamer

DESCRIPTION = "press to stop bytes and relay: p50, p99, p99.9, max"
PRINTERS = [f"p{number}" for number in range(1, 5)]
MISSED_AFTER_S = 1.0
LIMIT_US = {False: 1000.0, True: 2000.0}


def arguments(parser):
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--stress", action="store_true", help="every core loaded by stress-ng")
    parser.add_argument("--let-sleep", action="store_true",
                        help="leave the processors' sleep states as they are")


@contextlib.contextmanager
def awake(wanted):
    """Holds the kernel's wake-up latency at 0 us; yields whether it could."""
    file = None
    if wanted:
        with contextlib.suppress(OSError):
            file = os.open("/dev/cpu_dma_latency", os.O_WRONLY)
            os.write(file, struct.pack("i", 0))
    try:
        yield file is not None
    finally:
        if file is not None:
            os.close(file)


class Reads:
    """The simulator's journal, read as it grows: when each printer read an M112."""

    def __init__(self, sim):
        self.sim = sim
        self.seen = 0
        self.last_read = {}

    def after(self, printers, since_ns, deadline):
        """{printer: ns of its first read since then}; fewer entries if the deadline passed."""
        first = {}
        while len(first) < len(printers):
            facts = self.sim.journal()
            for fact in facts[self.seen:]:
                if fact["fact"] == "m112_read" and fact["ns"] >= since_ns:
                    first.setdefault(fact["printer"], fact["ns"])
            self.seen = len(facts)
            if time.monotonic() > deadline:
                break
            if len(first) < len(printers):
                time.sleep(0.0005)
        return first


def passes(client, pressed_ns, deadline):
    """The guard's stamps of the pass that this edge began, one for each printer."""
    while time.monotonic() < deadline:
        status = client.ask(do="status")
        stamps = [printer["last_pass"] for printer in status["printers"]]
        if all(stamp and stamp["edge_ns"] == pressed_ns for stamp in stamps):
            return stamps
        time.sleep(0.0005)
    return None


def one_press(sim_client, guard_client, reads, figures):
    pressed_ns = sim_client.ask(do="press", button="button")["pressed_ns"]
    deadline = time.monotonic() + MISSED_AFTER_S
    read_ns = reads.after(PRINTERS, pressed_ns, deadline)
    stamps = passes(guard_client, pressed_ns, deadline)
    sim_client.ask(do="release", button="button")
    if stamps is None or len(read_ns) < len(PRINTERS):
        figures["missed"] += 1
        return
    figures["write"].append(max(stamp["write_ns"] for stamp in stamps) - pressed_ns)
    figures["relay"].append(max(stamp["relay_ns"] for stamp in stamps) - pressed_ns)
    figures["read"].append(max(read_ns.values()) - pressed_ns)


def raise_priority(pid):
    """The simulator stands for wires and interrupts, which wait for no scheduler: real-time
    priority, the lowest, if we may."""
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass


def stress():
    return subprocess.Popen(["stress-ng", "--cpu", str(os.cpu_count()), "--quiet"],
                            stdout=subprocess.DEVNULL, start_new_session=True)


def press_all(host, trials):
    figures = {"missed": 0, "write": [], "relay": [], "read": []}
    randomly = random.Random(1)
    reads = Reads(host.sim)
    with LineClient(host.sim.control_socket) as sim_client, \
            LineClient(host.run_dir / "control.sock") as guard_client:
        for _ in range(trials):
            one_press(sim_client, guard_client, reads, figures)
            # Presses that fall into every phase of the guard's loops.
            time.sleep(randomly.random() * 0.004)
    return figures


def run(options, _build):
    load = None
    with Farm({"bench": PRINTERS}, dialect={"baud": 0}, record_in_memory=True) as farm:
        host = farm["bench"]
        farm.start(immortal=True)
        raise_priority(host.sim.process.pid)
        host.wait_links()
        hosts = [Streamer(host.pty(printer), ["M105"] * 1000, repeat=True).start()
                 for printer in PRINTERS]
        try:
            wait_for(lambda: all(each.lines_sent > 10 for each in hosts), 60, "the streams")
            load = stress() if options.stress else None
            with awake(not options.let_sleep) as kept_awake:
                figures = press_all(host, options.trials)
        finally:
            for each in hosts:
                each.stop()
            if load:
                load.terminate()
                load.wait(10)
    out = {"trials": options.trials, "stress": options.stress, "kept_awake": kept_awake,
           "missed": figures["missed"]}
    for name in ("write", "relay", "read"):
        out[f"edge_to_{name}_us"] = summary(figures[name], 1e-3)
    limit = LIMIT_US[options.stress]
    out["bars"] = [bar("missed presses", out["missed"], 0),
                   bar("edge to write, p99.9 (us)", out["edge_to_write_us"]["p999"], limit),
                   bar("edge to relay, p99.9 (us)", out["edge_to_relay_us"]["p999"], limit)]
    return out
