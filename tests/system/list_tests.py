"""Prints `module.Class labels seconds` for each test class, for CMake: the tests of a class share a
farm, whose arming takes a minute. A class may say LABELS = "system,not-sanitized" and SECONDS;
"alone" among the labels: beside no other test."""

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
        if isinstance(node, ast.ClassDef) and any(
                isinstance(item, ast.FunctionDef) and item.name.startswith("test_")
                for item in node.body):
            print(f"{path.stem}.{node.name} {constant(node, 'LABELS', 'system')} "
                  f"{constant(node, 'SECONDS', 300)}")
