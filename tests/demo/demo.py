#!/usr/bin/env python3
"""./dev demo: a small farm on this machine, and the main job played on it."""

import argparse
import os
import pathlib
import resource
import signal
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]


def parse():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--exit", action="store_true",
                        help="end after the story; status 0 only if every step held")
    parser.add_argument("--port", metavar="DEVICE",
                        help="a real printer in place of a simulated one; it is watched, not heated")
    parser.add_argument("--baud", type=int, default=115200, help="speed of the real printer's port")
    return parser.parse_args()


def real_time_missing():
    """What keeps the guard from real-time priority here, or nothing."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except PermissionError:
        return "no right to real-time priority (RLIMIT_RTPRIO is 0 and there is no CAP_SYS_NICE)"
    except OSError as error:
        return f"no real-time priority: {error.strerror}"
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if os.geteuid() != 0 and soft != resource.RLIM_INFINITY and soft < 64 << 20:
        return f"only {soft >> 10} KiB of memory may be locked"
    return None


def main():
    options = parse()
    if options.port and not os.path.exists(options.port):
        print(f"./dev demo: there is no {options.port}", file=sys.stderr)
        return 2
    os.environ["FIREBREAK_BUILD"] = str(pathlib.Path(options.build).resolve())
    from story import Story
    from terminal import Page
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    page = Page()
    story = Story(page, options.port, options.baud)
    try:
        story.tell(real_time_missing())
        if options.exit:
            return 1 if page.failed else 0
        story.stay_up()
        return 1 if page.failed else 0
    except KeyboardInterrupt:
        page.write()
        return 130
    finally:
        story.close()


if __name__ == "__main__":
    sys.exit(main())
