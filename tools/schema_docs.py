#!/usr/bin/env python3
"""Makes the tables of keys in docs/configuration.md from schemas/*.schema.json.

    tools/schema_docs.py           prints the tables
    tools/schema_docs.py --write   puts them into docs/configuration.md
    tools/schema_docs.py --check   exit 1 when the page differs from the schemas
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "configuration.md"
BEGIN = "<!-- tables: made by tools/schema_docs.py -->\n"
END = "<!-- end of tables -->\n"
ORDER = ["guard", "board", "printer", "uplink", "coordinator", "cli"]


def resolve(schema, root):
    """The schema that a local $ref names; its own words win over the reference's."""
    while isinstance(schema, dict) and "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema


def show(value):
    return f"`{json.dumps(value, ensure_ascii=False)}`" if not isinstance(value, str) else f"`{value}`"


def bounds(schema):
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    above = "more than " if "exclusiveMinimum" in schema else ""
    below = "less than " if "exclusiveMaximum" in schema else ""
    if low is None:
        return f", at most {below}{high}"
    if high is None:
        return f", {above or 'at least '}{low}"
    return f", {above}{low} … {below}{high}"


def kind(schema, root):
    schema = resolve(schema, root)
    if schema is True or not schema:
        return "anything"
    if "const" in schema:
        return show(schema["const"])
    if "enum" in schema:
        return ", ".join(show(v) for v in schema["enum"])
    for word in ("oneOf", "anyOf"):
        if word in schema:
            kinds = []
            for one in schema[word]:
                text = kind(one, root)
                if text not in kinds:
                    kinds.append(text)
            return " or ".join(kinds)
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true`, `false`",
             "object": "map", "array": "list"}
    types = schema.get("type", "object")
    if isinstance(types, list):
        return " or ".join(words.get(t, t) for t in types)
    text = words.get(types, types)
    if types == "array" and "items" in schema:
        inner = kind(schema["items"], root)
        text = f"list of: {inner}"
    if types == "string" and "pattern" in schema:
        text += f" `{schema['pattern']}`".replace("|", "\\|")
    return text + bounds(schema)


def rows(schema, root, prefix, out, seen):
    schema = resolve(schema, root)
    if not isinstance(schema, dict) or id(schema.get("properties")) in seen:
        return
    if "properties" in schema:
        seen = seen | {id(schema["properties"])}
    required = set(schema.get("required", []))
    for key, sub in schema.get("properties", {}).items():
        full = resolve(sub, root)
        name = f"{prefix}{key}"
        default = full.get("default") if isinstance(full, dict) else None
        need = "yes" if key in required else (show(default) if default is not None else "")
        text = full.get("description", "") if isinstance(full, dict) else ""
        out.append((name, kind(sub, root), need, text.replace("\n", " ").replace("|", "\\|")))
        nested(full, root, name, out, seen)
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        full = resolve(extra, root)
        out.append((f"{prefix}*", kind(extra, root), "", full.get("description", "")))
        nested(full, root, f"{prefix}*", out, seen)


def nested(schema, root, name, out, seen):
    if not isinstance(schema, dict):
        return
    rows(schema, root, name + ".", out, seen)
    if isinstance(schema.get("items"), dict):
        item = resolve(schema["items"], root)
        rows(item, root, name + "[].", out, seen)
        for one in item.get("oneOf", []) + item.get("anyOf", []):
            rows(one, root, name + "[].", out, seen)
    for one in schema.get("oneOf", []) + schema.get("anyOf", []):
        nested(resolve(one, root), root, name, out, seen)


def table(path):
    root = json.loads(path.read_text(encoding="utf-8"))
    out = []
    rows(root, root, "", out, frozenset())
    title = path.name.removesuffix(".schema.json")
    lines = [f"### {title}\n"]
    if "description" in root:
        lines.append(root["description"] + "\n")
    lines.append("| key | value | needed, or default | meaning |\n|---|---|---|---|")
    done = set()
    for row in out:
        if row[0] in done:
            continue
        done.add(row[0])
        lines.append("| `" + row[0] + "` | " + " | ".join(row[1:]) + " |")
    return "\n".join(lines) + "\n"


def tables():
    paths = {p.name.removesuffix(".schema.json"): p for p in (ROOT / "schemas").glob("*.schema.json")}
    names = [n for n in ORDER if n in paths] + sorted(set(paths) - set(ORDER))
    return "\n".join(table(paths[n]) for n in names)


def main():
    mode = sys.argv[1] if len(sys.argv) == 2 else ""
    if mode not in ("", "--write", "--check"):
        print(__doc__, file=sys.stderr)
        return 2
    if not mode:
        print(tables())
        return 0
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    wanted = f"{head}{BEGIN}\n{tables()}\n{END}{tail}"
    if mode == "--write":
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if page != wanted:
        print("docs/configuration.md differs from the schemas; run tools/schema_docs.py --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
