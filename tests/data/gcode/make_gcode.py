#!/usr/bin/python3
"""Writes cube.gcode: a 20 mm calibration cube as a slicer would cut it for a 0.4 mm nozzle.

Deterministic: the same bytes on every run. Usage: make_gcode.py > cube.gcode
"""
import math

SIZE = 20.0
CENTER = 100.0
LAYER = 0.28
WIDTH = 0.45
FILAMENT_AREA = math.pi * (1.75 / 2) ** 2
PERIMETERS = 2
INFILL_SPACING = 2.25  # 20 %
SOLID_LAYERS = 3
TRAVEL_F, OUTER_F, INNER_F, INFILL_F, FIRST_F = 9000, 1500, 2400, 3600, 1200
RETRACT_MM, RETRACT_F = 0.8, 2100

START = """; generated for tests: 20 mm calibration cube, PLA, 0.28 mm layers
; filament used [mm] = {filament:.2f}
; total layers count = {layers}
M73 P0 R{minutes}
M201 X1000 Y1000 Z200 E5000 ; sets maximum accelerations, mm/sec^2
M203 X200 Y200 Z12 E120 ; sets maximum feedrates, mm/sec
M204 P1000 R1000 T1000 ; sets acceleration (P, T) and retract acceleration (R), mm/sec^2
M205 X8.00 Y8.00 Z0.40 E4.50 ; sets the jerk limits, mm/sec
M107
M115 ; tell printer latest firmware
G90 ; use absolute coordinates
M83 ; extruder relative mode
M104 S210 ; set extruder temp
M140 S60 ; set bed temp
M190 S60 ; wait for bed temp
M109 S210 ; wait for extruder temp
G28 W ; home all without mesh bed level
G92 E0.0
G1 Y-3.0 F1000.0 ; go outside print area
G1 X60.0 E9.0 F1000.0 ; intro line
G1 X100.0 E12.5 F1000.0 ; intro line
G92 E0.0
M221 S95
G21 ; set units to millimeters
M117 printing
"""

END = """G1 E-0.80000 F2100
M107
G1 Z30 F720 ; move print head up
M104 S0 ; turn off temperature
M140 S0 ; turn off heatbed
G1 X0 Y200 F3000 ; home X axis
M84 ; disable motors
M73 P100 R0
; end of cube
"""


class Slicer:
    def __init__(self):
        self.lines = []
        self.filament = 0.0
        self.seconds = 0.0
        self.at = (0.0, 0.0)
        self.retracted = False

    def out(self, text):
        self.lines.append(text)

    def travel(self, x, y):
        distance = math.dist(self.at, (x, y))
        if distance > 2 and not self.retracted:
            self.out(f"G1 E-{RETRACT_MM:.5f} F{RETRACT_F}")
            self.retracted = True
        self.out(f"G1 X{x:.3f} Y{y:.3f} F{TRAVEL_F}")
        if self.retracted:
            self.out(f"G1 E{RETRACT_MM:.5f} F{RETRACT_F}")
            self.retracted = False
        self.at = (x, y)

    def extrude(self, x, y, feed=None):
        length = math.dist(self.at, (x, y))
        amount = length * WIDTH * LAYER / FILAMENT_AREA
        self.filament += amount
        self.seconds += length / (INNER_F / 60)
        suffix = f" F{feed}" if feed else ""
        self.out(f"G1 X{x:.3f} Y{y:.3f} E{amount:.5f}{suffix}")
        self.at = (x, y)

    def loop(self, inset, feed):
        low, high = CENTER - SIZE / 2 + inset, CENTER + SIZE / 2 - inset
        self.travel(low, low)
        self.extrude(high, low, feed)
        for x, y in ((high, high), (low, high), (low, low)):
            self.extrude(x, y)

    def fill(self, spacing, layer, feed):
        inset = WIDTH * (PERIMETERS + 0.5)
        low, high = CENTER - SIZE / 2 + inset, CENTER + SIZE / 2 - inset
        # Lines at 45 degrees, the other way round on each second layer.
        span, step, first, back = high - low, spacing * math.sqrt(2), True, False
        offset = -span + step / 2
        while offset < span:
            start = (max(low, low + offset), max(low, low - offset))
            end = (min(high, high + offset), min(high, high - offset))
            if layer % 2:
                start, end = (2 * CENTER - start[0], start[1]), (2 * CENTER - end[0], end[1])
            if back:
                start, end = end, start
            if first:
                self.travel(*start)
                self.extrude(*end, feed)
            else:
                self.extrude(*start)
                self.extrude(*end)
            first, back = False, not back
            offset += step

    def layer(self, index, count):
        z = LAYER * (index + 1)
        self.out(";LAYER_CHANGE")
        self.out(f";Z:{z:.2f}")
        self.out(f"G1 Z{z:.3f} F720")
        if index == 1:
            self.out("M106 S127")
            self.out("M104 S205 ; set temperature")
        if index == 3:
            self.out("M106 S255")
        if index % 10 == 0:
            self.out(f"M73 P{100 * index // count} R{12 * (count - index) // count}")
        slow = index == 0
        self.out(";TYPE:Perimeter")
        for ring in range(PERIMETERS - 1, 0, -1):
            self.loop(WIDTH * (ring + 0.5), FIRST_F if slow else INNER_F)
        self.out(";TYPE:External perimeter")
        self.loop(WIDTH / 2, FIRST_F if slow else OUTER_F)
        solid = index < SOLID_LAYERS or index >= count - SOLID_LAYERS
        self.out(";TYPE:Solid infill" if solid else ";TYPE:Internal infill")
        self.fill(WIDTH if solid else INFILL_SPACING, index, FIRST_F if slow else INFILL_F)


def main():
    slicer = Slicer()
    count = round(SIZE / LAYER)
    for index in range(count):
        slicer.layer(index, count)
    head = START.format(filament=slicer.filament, layers=count,
                        minutes=max(1, int(slicer.seconds / 60)))
    print(head + "\n".join(slicer.lines) + "\n" + END, end="")


if __name__ == "__main__":
    main()
