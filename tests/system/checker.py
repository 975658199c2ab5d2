"""Recomputes the hash chain of an event log from what an outsider was shown. Written from
docs/protocol.md, sharing nothing with the product."""

import hashlib
import struct


def cbor(value):
    """The canonical bytes: sorted keys, shortest integers and lengths, floats as single where that
    keeps the value."""
    if value is None:
        return b"\xf6"
    if value is False:
        return b"\xf4"
    if value is True:
        return b"\xf5"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        single = struct.pack(">f", value) if abs(value) <= 3.4028234663852886e38 else None
        if single is not None and struct.unpack(">f", single)[0] == value:
            return b"\xfa" + single
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return _head(3, len(data)) + data
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(cbor(item) for item in value)
    if isinstance(value, dict):
        items = sorted(value.items(), key=lambda item: item[0].encode())
        return _head(5, len(items)) + b"".join(cbor(key) + cbor(item) for key, item in items)
    raise TypeError(f"no CBOR for {type(value)}")


def _head(major, number):
    for limit, code, form in ((24, None, None), (1 << 8, 24, ">B"), (1 << 16, 25, ">H"),
                              (1 << 32, 26, ">I"), (1 << 64, 27, ">Q")):
        if number < limit:
            if code is None:
                return bytes([major << 5 | number])
            return bytes([major << 5 | code]) + struct.pack(form, number)
    raise OverflowError(number)


class Chain:
    """Takes the events of one log, from seq 1 on, and says what is wrong with the first bad one."""

    FIELDS = ("log", "seq", "boot", "mono_ms", "wall", "kind", "severity", "printer", "text",
              "data")

    def __init__(self):
        self.head = bytes(32)
        self.seq = 0

    def take(self, event):
        if event["seq"] != self.seq + 1:
            return f"seq {event['seq']} follows {self.seq}"
        body = cbor({key: event[key] for key in self.FIELDS})
        digest = hashlib.sha256(self.head + body).digest()
        if digest.hex() != event["hash"]:
            return f"the hash of seq {event['seq']} does not fit"
        self.head, self.seq = digest, event["seq"]
        return None


def verify(events):
    """None if the events of each log are a whole chain from 1 on, else what is wrong."""
    chains = {}
    for event in events:
        problem = chains.setdefault(event["log"], Chain()).take(event)
        if problem:
            return f"log {event['log']}: {problem}"
    return None
