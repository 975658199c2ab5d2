#!/usr/bin/env python3
"""A second reader of temperature lines. The tables that the product's parser is tested against
(report_lines.h beside this file, tests/data/reports/corpus_marlin.tsv) were written by one reader;
here another one, which shares no code with it or with the product, must find the same."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent.parent / "data"
NUMBER = r"-?\d+(?:\.\d+)?"
WORD = re.compile(  # key:value [W] [/target], a tool's second heater, or an ADC count in brackets
    rf"\s*([A-Z][A-Z0-9_]*@?|@\d?):({NUMBER}|\?)(W)?(?: ?/ ?({NUMBER}))?(?=\s|$)"
    rf"|\s+({NUMBER}) ?/ ?({NUMBER})(?=\s|$)|\s+\({NUMBER}\)(?=\s|$)")
THERMAL = re.compile(r"Error:(Thermal Runaway|Heating failed|MAXTEMP triggered|MINTEMP triggered)"
                     r"|echo:(Heating Failed|THERMAL RUNAWAY|Err: M(AX|IN)TEMP( BED)?)$")
HALT = re.compile(r"echo:M112 Shutdown$|Error:Printer halted\. kill\(\) called!$")


def words_of(text):
    """[(key, value, target)] of a whole line; None where any part is no word of a report."""
    words, at = [], 0
    while at < len(text):
        match = WORD.match(text, at)
        if not match:
            return None
        at = match.end()
        key, value, watts, target, extra, extra_target = match.groups()
        if extra is not None:
            words.append(("+", extra, extra_target))
        elif key is not None:
            words.append((key, value + (watts or ""), target))
    return words


def heaters_of(words):
    """{heater: [celsius, target]} in the order of the line; None where a heater stands twice."""
    heaters, tool = {}, ""
    for key, value, target in words:
        if re.fullmatch(r"T\d", key):
            name = tool = "h" + key[1]
        elif key == "+":
            name = "+" + tool[1:]
        else:
            name = {"T": "t0", "B": "b0", "C": "c0"}.get(key)
            if name in heaters:
                return None
        if name:
            heaters.setdefault(name, [None, None])[:] = [value, target]
    return heaters


def plain(number):
    if number is None:
        return "-"
    return f"{float(number.rstrip('W')):g}" + ("W" if number.endswith("W") else "")


def meaning(line):
    """What a line says, in the words of report_lines.h; "" if it holds no temperature."""
    text = line.strip()
    head = "ok " if re.match(r"ok\s", text) else ""
    text = text[len(head):].strip()
    words = words_of(text) if re.match(r"(T\d?|B|C):", text) else None
    heaters = heaters_of(words) if words else None
    if not heaters or words == [("T", "0", None)]:  # the last: Klipper before it is ready
        return ""
    numbers = [float(number) for pair in heaters.values() for number in pair if number]
    if not all(-50 <= number <= 1000 for number in numbers):
        return ""
    keys = {key: value for key, value, _ in words}
    duties = {"t0": keys.get("@"), "b0": keys.get("B@")}
    duties.update({"h" + digit: keys.get("@" + digit) for digit in "0123456789"})
    tools = [name for name in heaters if name[0] == "h"]
    if "t0" not in heaters and len(tools) == 1 and duties[tools[0]] is None:
        duties[tools[0]] = keys.get("@")
    if "E" in keys and "t0" in heaters:  # Prusa MK3: the tool that T belongs to
        heaters = {("h" + keys["E"] if name == "t0" else name): pair
                   for name, pair in heaters.items()}
    if "C@" in keys and "X" in keys and "c0" not in heaters:  # Core One: a temperature
        heaters["c0"] = [keys["C@"], None]
    elif "C@" in keys and "L" not in keys:
        duties["c0"] = keys["C@"]
    said = [f"{name}={plain(celsius)}/{plain(target)}@{plain(duties.get(name))}"
            for name, (celsius, target) in heaters.items()]
    return head + ("wait " if "W" in keys or "E" in keys else "") + " ".join(said)


def recorded_lines():
    """(file, number, line end, line) of all that the printer said, as far as it ended its line."""
    for path in sorted((DATA / "corpus" / "marlin").glob("*.log")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.split("\n"), 1):
            said = re.match(r"\s*\d+\.\d+ < (.*)$", line)
            if said and not said.group(1).endswith("# (no newline)"):
                whole = said.group(1)
                crlf = whole.endswith("\\r")
                yield path.name, number, "crlf" if crlf else "lf", whole[:-2] if crlf else whole


def corpus_differences():
    table = {}
    for line in (DATA / "reports" / "corpus_marlin.tsv").read_text().splitlines():
        if not line.startswith("#"):
            name, number, end, text = line.split("\t")
            table[name, int(number)] = (end, text)
    found = {}
    for name, number, end, line in recorded_lines():
        text = ("thermal_fault" if THERMAL.match(line.strip()) else
                "halt" if HALT.match(line.strip()) else meaning(line))
        if text:
            found[name, number] = (end, text)
    print(f"corpus_marlin.tsv: {len(table)} lines, {len(found)} found by the second reader")
    return [f"{name}:{number}: table {table.get((name, number))}, second reader "
            f"{found.get((name, number))}" for name, number in sorted(table.keys() | found.keys())
            if table.get((name, number)) != found.get((name, number))]


def form_differences():
    source = (HERE / "report_lines.h").read_text()
    text = r'((?:\s*"(?:[^"\\]|\\.)*")+)'
    forms = [["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', part)) for part in case]
             for case in re.findall(r"ReportCase\{" + text + r",\s*" + text, source)]
    print(f"report_lines.h: {len(forms)} forms")
    differences = [f"{line!r}: table {known!r}, second reader {meaning(line)!r}"
                   for line, known in forms if meaning(line) != known]
    return differences if forms else ["report_lines.h: no form found"]


if __name__ == "__main__":
    problems = corpus_differences() + form_differences()
    print("\n".join(problems))
    sys.exit(1 if problems else 0)
