"""The bars of the thermal bench: what the figures must show."""

OURS = "firebreak"
HOSTS = ("klipper", "marlin", "reprap")
LATER_S = {"firebreak": 0, "firebreak, 2 s": 2, "firebreak, 5 s": 8}
SHORT_OPEN_S = 2.0  # two reports at 1 s
OVERSHOOT_K = {"hotend": 50, "bed": 25}
MISSED_SHARE = 0.001
PAST_LIMIT_K = 5
WARNINGS_PER_200_H = 1
PRUSA_LATER_S = 6
HEATERS_A_CORE, BYTES_A_HEATER = 200, 4096


def value(result, which):
    return result[which]["value"]


def latency_bars(fault, bar):
    for entrant, later in LATER_S.items():
        result = fault["results"][entrant]
        if fault["p95_bar_s"]:
            yield bar(f"{fault['fault']}: p95 at {entrant.partition(', ')[2] or '1 s'} (s)",
                      value(result, "p95"), fault["p95_bar_s"] + later)


def missed_bar(fault, bar):
    result = fault["results"][OURS]
    share = result["missed"] / result["runs"] if result["runs"] else None
    yield bar(f"{fault['fault']}: missed (share)", share, MISSED_SHARE)


def heat_bars(fault, bar):
    result = fault["results"][OURS]
    if not fault["stuck_on"] or fault["heater"] not in OVERSHOOT_K:
        return
    yield bar(f"{fault['fault']}: overshoot p99 (K)", result["overshoot_p99"],
              OVERSHOOT_K[fault["heater"]])
    yield bar(f"{fault['fault']}: past the limit, worst (K)", result["past_limit_max"],
              PAST_LIMIT_K)


def dominance_bars(fault, bar):
    """p50 and p95 no worse than the best host firmware; a short or open sensor two reports later."""
    spare = SHORT_OPEN_S if "sensor short" in fault["fault"] or "sensor open" in fault["fault"] else 0
    marlin_at_equal_rate = fault["heater"] == "bed"  # compared on the curves
    for which in ("p50", "p95"):
        rivals = [value(fault["results"][name], which) for name in HOSTS
                  if not (marlin_at_equal_rate and name == "marlin")]
        rivals = [seconds for seconds in rivals if seconds is not None]
        if rivals:
            yield bar(f"{fault['fault']}: {which} beside the best firmware (s)",
                      value(fault["results"][OURS], which), round(min(rivals) + spare, 2))


def prusa_bars(fault, bar):
    theirs = value(fault["results"]["prusa"], "p95")
    if fault["heater"] == "hotend" and theirs is not None:
        yield bar(f"{fault['fault']}: p95 beside Prusa's thermal model (s)",
                  value(fault["results"][OURS], "p95"), round(theirs + PRUSA_LATER_S, 2))


def curve_points(figures, entrant):
    """(false trips per 1,000 h, seconds by fault), least strict last."""
    return [(item["life"]["trips_per_1000_h"], item["seconds"]) for item in figures["curves"]
            if item["entrant"] == entrant]


def equal_rate_bars(figures, bar):
    """Beds against Marlin's rule: ours at the strictest setting that is no worse in false trips."""
    marlin = [item for item in figures.get("curves", [])
              if item["entrant"] == "marlin" and item["scale"] == 1]
    if not marlin:
        return
    rate = marlin[0]["life"]["by_heater"].get("bed", 0)
    ours = [item for item in figures["curves"] if item["entrant"] == OURS
            and item["life"]["by_heater"].get("bed", 0) <= rate]
    if not ours:
        return
    strictest = min(ours, key=lambda item: item["scale"])
    for fault in figures["faults"]:
        if fault["heater"] != "bed" or not fault["must_trip"]:
            continue
        for which in ("p50", "p95"):
            theirs = marlin[0]["seconds"][fault["fault"]][which]
            if theirs is not None:
                yield bar(f"{fault['fault']}: {which} beside Marlin at an equal false-trip rate (s)",
                          strictest["seconds"][fault["fault"]][which], theirs)


def life_bars(figures, bar):
    life = figures["lives"][OURS]
    yield bar(f"false trips in {life['hours']:.0f} h", life["trips"], 0)
    yield bar("warnings in 200 h", life["warnings_per_200_h"], WARNINGS_PER_200_H)
    prusa = figures["lives"]["prusa"]
    yield bar("false trips per 1,000 h beside a tenth of Prusa's", life["trips_per_1000_h"],
              round(prusa["trips_per_1000_h"] / 10, 4))


def speed_bars(figures, bar):
    speed = figures["speed"]
    yield bar("heaters at 4 Hz a core, missing to 200",
              max(0, HEATERS_A_CORE - speed["heaters_a_core"]), 0)
    yield bar("memory a heater (B)", speed["bytes_a_heater"], BYTES_A_HEATER)


def bars(figures, bar):
    out = []
    for fault in figures.get("faults", []):
        if not fault["must_trip"] or not fault["results"][OURS]["runs"]:
            continue
        for judge in (latency_bars, missed_bar, heat_bars, dominance_bars, prusa_bars):
            out += judge(fault, bar)
    if "lives" in figures:
        out += life_bars(figures, bar)
    out += equal_rate_bars(figures, bar)
    out += speed_bars(figures, bar)
    return out
