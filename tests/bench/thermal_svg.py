"""Plots of the thermal bench as SVG, in the colours of the demo's pictures."""

import html
import math

TEXT, DIM, GROUND, GRID = "#e6edf3", "#8b949e", "#0d1117", "#21262d"
COLOURS = {"firebreak": "#ff7b72", "klipper": "#79c0ff", "marlin": "#e3b341", "prusa": "#d2a8ff",
           "reprap": "#56d364"}
NAMES = {"firebreak": "Firebreak", "klipper": "Klipper", "marlin": "Marlin",
         "prusa": "Prusa", "reprap": "RepRapFirmware"}
LEAST_S, MOST_S = 0.5, 800


def head(width, height):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="DejaVu Sans,Helvetica,Arial,sans-serif" font-size="13">'
            f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>')


def text(x, y, words, colour=TEXT, anchor="start", size=13):
    return (f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" '
            f'font-size="{size}">{html.escape(words)}</text>')


def line(x1, y1, x2, y2, colour, width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"/>')


def dot(x, y, colour, radius=4.0):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'


def log_scale(low, high, start, end):
    """Maps low…high, logarithmic, to start…end; outside is held at the edge."""
    def place(value):
        share = math.log(min(max(value, low), high) / low) / math.log(high / low)
        return start + share * (end - start)
    return place


def legend(x, y, step):
    for number, (key, name) in enumerate(NAMES.items()):
        yield dot(x + number * step, y - 4, COLOURS[key])
        yield text(x + number * step + 9, y, name, DIM)


def latency(faults, title):
    """A row for each fault; each engine a bar from p50 to p95; an open end is never."""
    row, left, width = 64, 300, 1030
    height = 92 + row * len(faults) + 20
    place = log_scale(LEAST_S, MOST_S, left, width - 60)
    yield head(width, height)
    yield text(24, 32, title, size=16)
    yield from legend(left, 32, 140)
    for seconds in (1, 2, 5, 10, 20, 50, 100, 200, 500):
        yield line(place(seconds), 70, place(seconds), height - 24, GRID)
        yield text(place(seconds), 62, f"{seconds} s", DIM, "middle", 11)
    for number, fault in enumerate(faults):
        top = 86 + number * row
        yield text(left - 14, top + row / 2 - 8, fault["fault"], TEXT, "end")
        for place_in_row, key in enumerate(NAMES):
            yield from span(fault["results"][key], place, top + 4 + place_in_row * 10,
                            COLOURS[key], width)
    yield "</svg>"


def span(result, place, y, colour, width):
    p50, p95 = result["p50"]["value"], result["p95"]["value"]
    if p50 is None:
        yield text(width - 52, y + 4, "never", colour, size=10)
        return
    end = place(p95) if p95 is not None else width - 56
    yield line(place(p50), y, end, y, colour, 3)
    yield dot(place(p50), y, colour, 3.5)
    if p95 is None:
        yield text(width - 52, y + 4, "never", colour, size=10)
    else:
        yield line(end, y - 4, end, y + 4, colour, 2)


def curves(points, faults, title):
    """Small panels: p95 over false trips in 1,000 h as every threshold is scaled. `points`:
    {engine: [(rate, {fault: p95 or None})]}."""
    columns, panel_w, panel_h = 3, 330, 250
    rows = -(-len(faults) // columns)
    width, height = 24 + columns * panel_w, 64 + rows * panel_h
    yield head(width, height)
    yield text(24, 30, title, size=16)
    yield from legend(24, 52, 140)
    rates = [rate for found in points.values() for rate, _ in found if rate > 0]
    least = min(rates, default=0.1) / 2
    for number, fault in enumerate(faults):
        x0 = 24 + (number % columns) * panel_w
        y0 = 70 + (number // columns) * panel_h
        yield from panel(points, fault, (x0, y0, panel_w, panel_h), least, max(rates, default=10))
    yield "</svg>"


def panel(points, fault, box, least, most):
    x0, y0, width, height = box
    right, bottom = x0 + width - 24, y0 + height - 44
    across = log_scale(least, most * 1.2, x0 + 40, right)
    up = log_scale(LEAST_S, MOST_S, bottom, y0 + 24)
    yield text(x0 + 40, y0 + 14, fault, TEXT, size=12)
    for seconds in (1, 10, 100):
        yield line(x0 + 40, up(seconds), right, up(seconds), GRID)
        yield text(x0 + 34, up(seconds) + 4, f"{seconds} s", DIM, "end", 10)
    yield line(x0 + 40, bottom, right, bottom, DIM)
    yield text((x0 + 40 + right) / 2, bottom + 16, "false trips in 1,000 h (left edge: none seen)",
               DIM, "middle", 10)
    for key, found in points.items():
        places = [(across(max(rate, least)), up(seconds[fault])) for rate, seconds in found
                  if seconds.get(fault) is not None]
        if len(places) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield (f'<polyline points="{path}" fill="none" stroke="{COLOURS[key]}" '
                   f'stroke-width="1.5"/>')
        for x, y in places:
            yield dot(x, y, COLOURS[key], 2.5)
