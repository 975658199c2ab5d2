"""The tables and plots of docs/thermal.md, between its markers; and the same tables for a terminal."""

import re

import thermal_svg

MARK = "<!-- {0} of ./dev bench thermal: {1} -->"
ENGINES = ("firebreak", "klipper", "marlin", "marlin, variance monitor", "prusa", "reprap")
OURS = ("firebreak", "firebreak, uncommissioned", "firebreak, 2 s", "firebreak, 5 s",
        "firebreak, whole degrees, no duty")


def seconds(value):
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def cell(result, interval=False):
    """"p50 / p95", with misses, and with the interval of p95 where it is asked for."""
    if not result["runs"]:
        return "no run"
    out = f"{seconds(result['p50']['value'])} / {seconds(result['p95']['value'])}"
    if interval:
        out += f" ({seconds(result['p95']['low'])}…{seconds(result['p95']['high'])})"
    if result["missed"]:
        out += f", {100 * result['missed'] / result['runs']:.1f} % missed"
    return out


def table(header, rows):
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(str(item) for item in row) + " |"


def fault_table(figures, entrants, interval_of=()):
    def row(fault):
        bar = f"{fault['p95_bar_s']:.0f}" if fault["p95_bar_s"] else ""
        return [fault["fault"], bar,
                *(cell(fault["results"][name], name in interval_of) for name in entrants)]
    return table(["fault (s after it: p50 / p95)", "bar", *entrants],
                 [row(fault) for fault in figures.get("faults", [])])


def heat_table(figures):
    rows = []
    for fault in figures.get("faults", []):
        if fault["stuck_on"]:
            rows.append([fault["fault"], *(fault["results"][name]["overshoot_p99"]
                                           for name in ENGINES),
                         fault["results"]["firebreak"]["past_limit_max"]])
    return table(["overshoot of the body, p99 (K)", *ENGINES, "Firebreak: worst to the limit (K)"],
                 rows)


def rule_words(life):
    found = ", ".join(f"{name} {count}" for name, count in life["by_rule"].items())
    return found or ", ".join(f"{name} {count}" for name, count in life["by_heater"].items())


def life_table(figures):
    rows = [[name, f"{life['hours']:,.0f}", life["trips"], life["trips_per_1000_h"],
             life["upper95_per_1000_h"], rule_words(life),
             life["warnings_per_200_h"] if name.startswith("firebreak") else ""]
            for name, life in figures.get("lives", {}).items()]
    return table(["healthy lives", "hours", "false trips", "in 1,000 h", "95 % bound", "by",
                  "warnings in 200 h"], rows)


def curve_table(figures):
    rows = [[item["entrant"], item["scale"], item["life"]["trips"],
             item["life"]["trips_per_1000_h"]] for item in figures.get("curves", [])]
    return table(["engine", "thresholds times", "false trips", "in 1,000 h"], rows)


def ways_table(figures):
    """By which rule our engine tripped: the three most frequent."""
    rows = []
    for fault in figures.get("faults", []):
        rules = sorted(fault["results"]["firebreak"]["rules"].items(), key=lambda item: -item[1])
        rows.append([fault["fault"], ", ".join(f"{name} {count}" for name, count in rules[:3]),
                     fault["results"]["firebreak"]["early"]])
    return table(["fault", "rules that found it (runs)", "trips before the fault"], rows)


def bar_table(figures):
    rows = [[item["name"], item["value"], item["limit"], "yes" if item["ok"] else "**no**"]
            for item in figures["bars"]]
    return table(["bar", "value", "limit", "met"], rows)


def origin(figures):
    commits = ", ".join(f"{name} at {commit}" for name, commit in figures["commits"].items())
    yield (f"{figures['group']} families, {figures['machines']} machines a fault, "
           f"{figures['hours']:,.0f} hours; {commits}. {figures['seconds']['wall']} s, "
           f"{figures['seconds']['processor']} s of processor time. "
           f"{figures['speed']['heaters_a_core']:,.0f} heaters at 4 Hz a core, "
           f"{figures['speed']['bytes_a_heater']} bytes a heater.")


def tables(figures):
    for part in (origin(figures), fault_table(figures, ENGINES, ("firebreak",)),
                 fault_table(figures, OURS), heat_table(figures), life_table(figures),
                 ways_table(figures), curve_table(figures)):
        yield from part
        yield ""


def plots(figures):
    """(file name, lines)"""
    for heater in ("hotend", "bed"):
        faults = [fault for fault in figures["faults"]
                  if fault["heater"] == heater and fault["must_trip"]]
        yield (f"thermal-latency-{heater}.svg",
               thermal_svg.latency(faults, "From fault to trip: p50 to p95"))
    if not figures.get("curves"):
        return
    points = {}
    for item in figures["curves"]:
        p95 = {name: found["p95"] for name, found in item["seconds"].items()}
        points.setdefault(item["entrant"], []).append((item["life"]["trips_per_1000_h"], p95))
    barred = [fault["fault"] for fault in figures["faults"] if fault["p95_bar_s"]]
    yield "thermal-curves.svg", thermal_svg.curves(points, barred, "p95 at equal false trips")


def write(figures, folder):
    """Replaces what stands between the markers of docs/thermal.md, and the plots beside it."""
    page = folder / "thermal.md"
    blocks = {"origin": origin(figures), "bars": bar_table(figures),
              "faults": fault_table(figures, ENGINES, ("firebreak",)),
              "reports": fault_table(figures, OURS), "overshoot": heat_table(figures),
              "lives": life_table(figures), "rules": ways_table(figures),
              "curves": curve_table(figures)}
    words = page.read_text(encoding="utf-8")
    for name, lines in blocks.items():
        begin, end = MARK.format("begin", name), MARK.format("end", name)
        new = begin + "\n" + "\n".join(lines) + "\n" + end
        words = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _, new=new: new, words,
                       flags=re.S)
    page.write_text(words, encoding="utf-8")
    for name, lines in plots(figures):
        (folder / "images" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
