#!/usr/bin/env python3
"""One request to a running simulator: sim.py SOCKET '{"do": "press", "button": "button"}'."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
from clients import LineClient  # noqa: E402

if len(sys.argv) != 3:
    sys.exit(__doc__)
with LineClient(sys.argv[1]) as client:
    client.send(json.loads(sys.argv[2]))
    print(json.dumps(client.receive(), indent=1))
