#!/usr/bin/env python3
"""./dev bench: runs one bench, prints its figures as JSON or as lines, exit 1 if a bar is not met."""

import argparse
import importlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
HELPERS = ("run", "figures", "thermal_bars", "thermal_docs", "thermal_svg")
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]


def names():
    return sorted(path.stem.replace("_", "-") for path in HERE.glob("*.py")
                  if path.stem not in HELPERS)


def load(name):
    return importlib.import_module(name.replace("-", "_"))


def flat(prefix, value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(f"{prefix}.{key}" if prefix else key, item)
    elif not isinstance(value, list):
        yield prefix, value


def print_lines(figures):
    for key, value in flat("", figures):
        print(f"  {key:<28} {value}")
    for bar in figures.get("bars", []):
        print(f"  {'ok ' if bar['ok'] else 'NOT'} {bar['name']}: {bar['value']} (limit {bar['limit']})")


def main():
    if len(sys.argv) == 1:
        print("usage: ./dev bench NAME [--json]")
        for name in names():
            print(f"  {name:<20} {load(name).DESCRIPTION}")
        return 0
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("name", choices=names())
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    known, _ = parser.parse_known_args()
    bench = load(known.name)
    bench.arguments(parser)
    options = parser.parse_args()
    figures = bench.run(options, options.build.resolve())
    if options.json:
        print(json.dumps(figures))
    else:
        print_lines(figures)
    return 0 if all(bar["ok"] for bar in figures["bars"]) else 1


if __name__ == "__main__":
    sys.exit(main())
