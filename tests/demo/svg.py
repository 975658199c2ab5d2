#!/usr/bin/env python3
"""Draws what a terminal showed as an SVG: `FORCE_COLOR=1 ./dev demo --exit | tests/demo/svg.py >
docs/images/demo.svg`. Understands the few colour codes that the demo uses."""

import html
import re
import sys

COLOURS = {"31": "#ff7b72", "32": "#56d364", "33": "#e3b341", "36": "#79c0ff"}
TEXT, DIM, GROUND = "#e6edf3", "#8b949e", "#0d1117"
CELL_W, CELL_H, PAD = 8.4, 19, 24


def spans(line):
    """(text, colour, bold) pieces of one line."""
    colour, bold = TEXT, False
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if not code:
            if piece:
                yield piece, colour, bold
            continue
        for part in (code.group(1) or "0").split(";"):
            if part == "0":
                colour, bold = TEXT, False
            elif part == "1":
                bold = True
            elif part == "2":
                colour = DIM
            elif part in COLOURS:
                colour = COLOURS[part]


def draw(lines):
    plain = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in lines]
    width = max(map(len, plain), default=40) * CELL_W + 2 * PAD
    height = len(lines) * CELL_H + 2 * PAD
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
           f'font-family="ui-monospace,DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="14">')
    yield f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>'
    for number, line in enumerate(lines):
        column, y = 0, PAD + (number + 0.75) * CELL_H
        for text, colour, bold in spans(line):
            weight = ' font-weight="bold"' if bold else ""
            if text.strip():
                yield (f'<text x="{PAD + column * CELL_W:.1f}" y="{y:.1f}" fill="{colour}"{weight} '
                       f'xml:space="preserve" textLength="{len(text) * CELL_W:.1f}">'
                       f'{html.escape(text)}</text>')
            column += len(text)
    yield "</svg>"


if __name__ == "__main__":
    shown = [line.rstrip("\n") for line in sys.stdin]
    while shown and not shown[0].strip():
        shown.pop(0)
    print("\n".join(draw(shown)))
