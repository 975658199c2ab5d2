#!/usr/bin/env python3
"""Runs inside the container, as a service: uses the guard under the real systemd and prints one
line `RESULT name ok|FAIL text` for each thing that it looked at."""

import os
import pathlib
import pwd
import signal
import subprocess
import sys
import time
import traceback

sys.path.insert(0, "/opt/firebreak/tests")
from clients import Guard  # noqa: E402
from process import Timeout, wait_for  # noqa: E402
from simulator import Simulator  # noqa: E402

UNIT = "firebreak-guard.service"
FOLDER = pathlib.Path("/run/firebreak-sim")
guard = Guard("/run/firebreak/control.sock")


def say(name, ok, text=""):
    print(f"RESULT {name} {'ok' if ok else 'FAIL'} {text}", flush=True)


def show(field):
    return subprocess.run(["systemctl", "show", "-P", field, UNIT], capture_output=True,
                          text=True).stdout.strip()


def state():
    return guard.status()["printers"][0]


def wait_state(*states, timeout_s=30):
    try:
        return wait_for(lambda: state()["state"] in states and state(), timeout_s, f"{states}")
    except Timeout as error:
        raise Timeout(f"{error}; it is {state()}") from None


def arm(sim):
    wait_state("tripped")

    def accepted():
        seen = state()
        answer = guard.ask("reset", printer="p1", latch_number=seen["latch_number"], reason="test",
                           measured_celsius=25)
        # On a busy machine the guard may say that it could not see the reset take effect yet.
        return answer["ok"] or state()["state"] == "probation"
    wait_for(accepted, 30, "the reset", every_s=0.5)
    sim.power_cycle("p1")
    wait_for(lambda: (state()["probation"] or {}).get("phase") == "clean", 150, "the clean minute")
    assert guard.ask("release", printer="p1")["ok"]
    wait_state("armed", "watch")


def short_restart(sim):
    opens, pid, began_ns = sim.opens("p1"), int(show("MainPID")), time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: int(show("MainPID")) not in (0, pid), 10, "the restart")
    wait_state("armed", "watch")
    relay = sim.facts("relay", began_ns)
    say("killed-and-back-goes-on", not relay and sim.opens("p1") == opens,
        f"opens {sim.opens('p1') - opens}, relay {relay}")


def hung(sim):
    began_ns = time.monotonic_ns()
    os.kill(int(show("MainPID")), signal.SIGSTOP)
    opened = sim.wait_relay("r-p1", False, began_ns)
    after_ms = (opened["ns"] - began_ns) / 1e6
    say("hung-relay-opens", after_ms <= 3000, f"{after_ms:.0f} ms")
    wait_for(lambda: show("NRestarts") == "2", 15, "the watchdog's restart")
    seen = wait_state("tripped")
    say("hung-comes-back-tripped", "guard_lapsed" in seen["causes"], str(seen["causes"]))


def isolation():
    pid = show("MainPID")
    links = subprocess.run(["nsenter", "-t", pid, "-n", "cat", "/proc/net/dev"],
                           capture_output=True, text=True).stdout
    names = [line.split(":")[0].strip() for line in links.splitlines()[2:]]
    say("no-network", names == ["lo"], str(names))
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    # CAP_IPC_LOCK is bit 14, CAP_SYS_NICE bit 23.
    say("no-further-capability", int(effective, 16) & ~(1 << 14 | 1 << 23) == 0, effective)


def main():
    FOLDER.mkdir(exist_ok=True)
    sim = Simulator(FOLDER, "/usr/bin/firebreak-sim", "box", ["p1"])
    user = pwd.getpwnam("firebreak-guard")
    for path in (FOLDER, *FOLDER.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
    sim.process.preexec = lambda: (os.setgid(user.pw_gid), os.setuid(user.pw_uid))
    sim.process.log_path = "/run/sim.log"
    sim.start()
    pathlib.Path("/etc/firebreak/board.yaml").write_text(sim.board_yaml())
    started = subprocess.run(["systemctl", "start", UNIT], capture_output=True, text=True)
    say("starts", started.returncode == 0, started.stderr.replace("\n", " "))
    isolation()
    arm(sim)
    short_restart(sim)
    hung(sim)
    subprocess.run(["systemctl", "stop", UNIT])
    say("stops", show("ActiveState") == "inactive", show("Result"))


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        say("finished", False, traceback.format_exc().replace("\n", " | "))
        subprocess.run(["journalctl", "-u", UNIT, "-n", "30", "--no-pager"])
    else:
        say("finished", True)
    subprocess.run(["systemctl", "poweroff", "--no-block"])
