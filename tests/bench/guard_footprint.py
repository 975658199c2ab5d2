"""What the guard costs: resident memory and processor time with four armed printers at 1 Hz."""

import os
import pathlib
import time

from farm import Farm
from figures import bar

DESCRIPTION = "resident memory and processor time of the guard, 4 printers at 1 Hz"
LIMIT_MB, LIMIT_PERCENT = 8.0, 1.0


def arguments(parser):
    parser.add_argument("--seconds", type=int, default=60, help="how long it is watched")
    parser.add_argument("--unarmed", action="store_true", help="do not wait for the clean minute")


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmRSS of {pid}")


def processor_seconds(pid):
    """Of all threads: the fields after the name, which may hold spaces."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(options, _build):
    with Farm({"bench": [f"p{number}" for number in range(1, 5)]}) as farm:
        farm.start(immortal=options.unarmed)
        if not options.unarmed:
            farm.arm()
        farm["bench"].wait_links()
        pid = farm["bench"].guard.pid
        before, began = processor_seconds(pid), time.monotonic()
        largest = 0.0
        while time.monotonic() - began < options.seconds:
            largest = max(largest, resident_mb(pid))
            time.sleep(1)
        percent = 100 * (processor_seconds(pid) - before) / (time.monotonic() - began)
    return {"resident_mb": round(largest, 2), "cpu_percent": round(percent, 3),
            "seconds": options.seconds,
            "bars": [bar("resident memory (MB)", round(largest, 2), LIMIT_MB),
                     bar("processor time (% of a core)", round(percent, 3), LIMIT_PERCENT)]}
