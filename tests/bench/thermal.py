"""Thermal detection on machines that it was not tuned on, beside the firmwares' own rules."""

import json
import os
import subprocess

import thermal_bars
import thermal_docs
from figures import bar

DESCRIPTION = "detection latency, misses and false trips on held-out machines, beside the firmwares"
ROOT_PATHS = {"families": "tests/thermal/families/held_out",
              "constants": "agent/guard/thermal/constants.h"}
FULL = {"machines": 1000, "hours": 60000, "curve_machines": 200, "curve_hours": 4000}
QUICK = {"machines": 100, "hours": 2000, "curve_machines": 0, "curve_hours": 0}


def arguments(parser):
    parser.add_argument("--quick", action="store_true", help="100 machines a fault, 2,000 hours")
    parser.add_argument("--tune", action="store_true",
                        help="the tuning families only: what constants may be tuned on")
    parser.add_argument("--machines", type=int, help="machines for each fault")
    parser.add_argument("--hours", type=float, help="hours of healthy lives")
    parser.add_argument("--curve-machines", type=int, help="machines for the curves; 0: no curves")
    parser.add_argument("--curve-hours", type=float, help="hours of healthy lives for the curves")
    parser.add_argument("--threads", type=int, help="the figures do not depend on it")
    parser.add_argument("--only", default="", help="faults with this in their name")
    parser.add_argument("--write-docs", action="store_true",
                        help="write the tables and plots of docs/thermal.md")


def commit_of(source, path):
    """The commit that last changed `path`, and whether it was changed since."""
    def git(*words):
        return subprocess.run(["git", "-C", str(source), *words], capture_output=True, text=True,
                              check=False).stdout.strip()
    changed = " + changes" if git("status", "--porcelain", "--", path) else ""
    return (git("log", "-1", "--format=%h %cI", "--", path) or "unknown") + changed


def families_came_first(source):
    """Whether the held-out families stand in the history of the constants that they judge."""
    def last(path):
        return subprocess.run(["git", "-C", str(source), "log", "-1", "--format=%H", "--", path],
                              capture_output=True, text=True, check=False).stdout.strip()
    families, constants = (last(path) for path in ROOT_PATHS.values())
    return bool(families and constants) and subprocess.run(
        ["git", "-C", str(source), "merge-base", "--is-ancestor", families, constants],
        check=False).returncode == 0


def plan_of(options):
    plan = dict(QUICK if options.quick or options.tune else FULL)
    for name in plan:
        given = getattr(options, name)
        if given is not None:
            plan[name] = given
    return plan


def command_of(options, build, plan):
    words = [str(build / "bin" / "bench_thermal")]
    for name, value in plan.items():
        words += ["--" + name.replace("_", "-"), str(value)]
    words += ["--tune"] if options.tune else []
    words += ["--only", options.only] if options.only else []
    words += ["--threads", str(options.threads)] if options.threads else []
    return words


def run(options, build):
    source = build.parent.parent
    began = os.times()
    done = subprocess.run(command_of(options, build, plan_of(options)), stdout=subprocess.PIPE,
                          check=True)
    ended = os.times()
    figures = json.loads(done.stdout)
    figures["seconds"] = {
        "wall": round(ended.elapsed - began.elapsed, 1),
        "processor": round(ended.children_user - began.children_user, 1)}
    figures["commits"] = {name: commit_of(source, path) for name, path in ROOT_PATHS.items()}
    figures["families_before_constants"] = families_came_first(source)
    figures["bars"] = thermal_bars.bars(figures, bar)
    if options.write_docs:
        thermal_docs.write(figures, source / "docs")
    if not options.json:
        print("\n".join(thermal_docs.tables(figures)))
        return {key: figures[key] for key in ("group", "seconds", "commits",
                                             "families_before_constants", "speed", "bars")}
    return figures
