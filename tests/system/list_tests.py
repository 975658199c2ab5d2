"""Prints `module.Class.test labels seconds` for each test method, for CMake. A class may say
LABELS = "system,not-sanitized" and SECONDS = 300."""

import ast
import pathlib
import sys


def constant(node, name, default):
    for item in node.body:
        if isinstance(item, ast.Assign) and getattr(item.targets[0], "id", "") == name:
            return ast.literal_eval(item.value)
    return default


for path in map(pathlib.Path, sys.argv[1:]):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            labels = constant(node, "LABELS", "system")
            seconds = constant(node, "SECONDS", 120)
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name.startswith("test_"):
                    print(f"{path.stem}.{node.name}.{item.name} {labels} {seconds}")
