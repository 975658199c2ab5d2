#!/usr/bin/env python3
"""House rules that no compiler checks: line, function and file length, marks of unfinished work,
banned calls in the guard, and the direction of includes. Prints file:line: message; exit 1 if any."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_LINE, MAX_FILE, MAX_FUNCTION = 100, 500, 70

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
BANNED_IN_GUARD = {
    r"\bthrow\b": "errors are values in the guard",
    r"\bsystem\s*\(": "the guard runs no programs",
    r"\bAF_INET6?\b": "the guard opens no network socket",
}
# A layer may include only those named here (and itself).
MAY_INCLUDE = {
    "common": {"common"},
    "agent/guard": {"common", "agent/guard"},
    "agent/uplink": {"common", "agent/uplink"},
    # The list of serial ports, which opens none, is the guard's own.
    "agent/uplink/discovery": {"common", "agent/uplink", "agent/guard"},
    "agent/uplink/diagnosis": {"common", "agent/uplink", "agent/guard"},
    "coordinator": {"common", "coordinator"},
    # Without a coordinator it looks with the agent's own eyes, on purpose.
    "coordinator/cli/find": {"common", "coordinator", "agent/uplink", "agent/guard"},
    # It judges recordings with the guard's own engine, parsers and black box, on purpose.
    "coordinator/cli/replay": {"common", "coordinator", "agent/guard"},
    "tests/simulator": {"tests/simulator"},
}


def sources():
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", "*.h", "*.cc"],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in sorted(set(names)) if (ROOT / name).is_file()]


def layer_of(name):
    layers = [layer for layer in MAY_INCLUDE if name.startswith(layer + "/")]
    return max(layers, key=len, default=None)


def line_problems(name, lines):
    layer = layer_of(name)
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            yield number, f"{len(line)} columns, at most {MAX_LINE}"
        if UNFINISHED.search(line):
            yield number, "a mark of unfinished work"
        code = line.split("//", 1)[0]
        if name.startswith("agent/guard/"):
            for pattern, why in BANNED_IN_GUARD.items():
                if re.search(pattern, re.sub(r'"[^"]*"', '""', code)):
                    yield number, why
        included = re.match(r'#include "([^"]+)"', line)
        if layer and included:
            path = included.group(1)
            if "/" in path and not any(path.startswith(a + "/") for a in MAY_INCLUDE[layer]):
                yield number, f"{layer} may not include {path}"


def function_problems(lines):
    """A function body, by our formatting: from a line in column 0 or 2 that ends in ') {' (or with
    const, noexcept, override) to the closing brace in the same column."""
    start = indent = None
    for number, line in enumerate(lines, 1):
        opens = re.match(r"^( {0,2})[A-Za-z_~].*\)(?: const| noexcept| override| final)* \{$", line)
        if start is None and opens and not line.strip().startswith(("if ", "for ", "while ",
                                                                    "switch ", "TEST")):
            start, indent = number, opens.group(1)
        elif start is not None and line in (indent + "}", indent + "};"):
            if number - start - 1 > MAX_FUNCTION:
                yield start, f"a function of {number - start - 1} lines, at most {MAX_FUNCTION}"
            start = None


def main():
    found = 0
    for name in sources():
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        problems = [*line_problems(name, lines), *function_problems(lines)]
        if len(lines) > MAX_FILE:
            problems.append((1, f"{len(lines)} lines, at most {MAX_FILE}"))
        if name.endswith(".h") and "#pragma once" not in lines[:30]:
            problems.append((1, "a header without #pragma once"))
        for number, text in sorted(problems):
            print(f"{name}:{number}: {text}")
        found += len(problems)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
