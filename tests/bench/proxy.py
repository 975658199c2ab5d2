"""How much later a line comes through the proxy than over a port without it, at each baud rate, and
whether a long stream both ways comes through unchanged.

The link of the guard runs as it does there, between ptys of this machine's kernel; the same lines
are measured over one pty with nothing in between, and the difference is what the proxy adds."""

import json
import subprocess

from figures import bar

DESCRIPTION = "the serial proxy: added delay, and a stream of many megabytes unchanged"
BAUDS = (115_200, 250_000, 1_000_000, 2_000_000)
LIMIT_US = 2000.0
FULL_BYTES = 1_000_000_000


def arguments(parser):
    parser.add_argument("--lines", type=int, default=3000, help="lines at each baud rate")
    parser.add_argument("--bytes", type=int, default=8_000_000, help="streamed at 2,000,000 baud")
    parser.add_argument("--full", action="store_true", help="stream 1 GB: 42 minutes")


def measure(build, baud, lines, size):
    done = subprocess.run([build / "bin" / "bench_proxy", str(baud), str(lines), str(size)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def run(options, build):
    out = {"delay": {}, "bars": []}
    for baud in BAUDS:
        seen = measure(build, baud, options.lines, 0)
        out["delay"][str(baud)] = {"direct": seen["direct"],
                                   "through_proxy": seen["through_proxy"]}
        for way in ("to_printer_us", "to_host_us"):
            added = round(seen["through_proxy"][way]["p99"] - seen["direct"][way]["p99"], 1)
            out["bars"].append(bar(f"added at {baud} baud, {way[:-3].replace('_', ' ')}, p99 (us)",
                                   added, LIMIT_US))
    size = FULL_BYTES if options.full else options.bytes
    out["stream"] = measure(build, BAUDS[-1], 0, size)["bulk"]
    out["bars"].append(bar("bytes changed or lost", out["stream"]["changed_or_lost"], 0))
    idle = round(1 - out["stream"]["share_of_line_rate"], 3)
    out["bars"].append(bar("part of a line of 2,000,000 baud that is left idle", idle, 0.1))
    return out
