"""Streams a G-code file with Debian's printcore: PORT FILE. Run by /usr/bin/python3, for which the
package `printcore` installs the module. Exit 0 when the whole file was acknowledged."""

import sys
import time

from printrun import gcoder
from printrun.printcore import printcore

BAUD = 115200
TIMEOUT_S = 600


def main(port, path):
    with open(path, encoding="utf-8") as file:
        job = gcoder.LightGCode([line.rstrip("\n") for line in file])
    printer = printcore(port, BAUD)
    errors = []
    printer.errorcb = errors.append
    until = time.monotonic() + TIMEOUT_S
    while not printer.online and time.monotonic() < until:
        time.sleep(0.05)
    printer.startprint(job)
    while printer.printing and time.monotonic() < until:
        time.sleep(0.05)
    done = not printer.printing and printer.queueindex == 0
    printer.disconnect()
    print(f"done {done}, errors {errors}")
    return 0 if done and not errors else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
