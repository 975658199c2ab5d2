"""Speaks to the guard's sockets and to the coordinator's API, as anybody could."""

import http.client
import json
import socket
import ssl


class LineClient:
    """JSON objects, one a line, over a unix stream socket; requests are answered in order."""

    def __init__(self, path, timeout_s=10.0):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.socket.settimeout(timeout_s)
        try:
            self.socket.connect(self.path)
        except OSError:
            self.socket.close()
            raise
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self):
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError(f"{self.path} closed the connection")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, **request):
        self.send(request)
        return self.receive()


class Guard:
    """The guard's operator socket, one connection a question."""

    def __init__(self, socket_path):
        self.socket_path = socket_path

    def ask(self, do, **arguments):
        with LineClient(self.socket_path) as client:
            return client.ask(do=do, **arguments)

    def status(self):
        answer = self.ask("status")
        if not answer.get("ok"):
            raise AssertionError(f"the guard refuses status: {answer}")
        return answer

    def printer(self, name):
        for printer in self.status()["printers"]:
            if printer["name"] == name:
                return printer
        raise KeyError(name)

    def states(self):
        return {printer["name"]: printer["state"] for printer in self.status()["printers"]}

    def events(self, after=0, log=None):
        """All events after `after` of the newest log (or of `log`), page by page."""
        found = []
        while True:
            answer = self.ask("events", log=log, after=after, limit=500, wait_ms=0)
            if not answer.get("ok"):
                raise AssertionError(f"the guard refuses events: {answer}")
            page = answer["events"]
            found += page
            if not page:
                return found
            after = page[-1]["seq"]


class Api:
    """The coordinator's HTTP API over TLS, its CA pinned."""

    def __init__(self, host, port, ca_file, token=None, timeout_s=15.0):
        self.host, self.port, self.token, self.timeout_s = host, port, token, timeout_s
        self.tls = ssl.create_default_context(cafile=str(ca_file))

    def request(self, method, path, body=None, headers=None, token=None):
        """(status, headers, parsed JSON or text)."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.tls,
                                                 timeout=self.timeout_s)
        try:
            sent = {"Accept": "application/json", **(headers or {})}
            token = self.token if token is None else token
            if token:
                sent["Authorization"] = f"Bearer {token}"
            data = None
            if body is not None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            kind = answer.getheader("Content-Type", "")
            return answer.status, dict(answer.getheaders()), (
                json.loads(text) if "json" in kind and text else text)
        finally:
            connection.close()

    def get(self, path):
        status, _, body = self.request("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body}")
        return body

    def post(self, path, body, expect=(200, 201, 202)):
        status, _, answer = self.request("POST", path, body)
        if status not in expect:
            raise AssertionError(f"POST {path}: {status} {answer}")
        return answer

    def printer(self, name):
        return self.get(f"/api/v1/printers/{name}")

    def events(self, after=0):
        """Every stored event with an id after `after`, page by page."""
        found = []
        while True:
            page = self.get(f"/api/v1/events?after={after}&limit=500")
            found += page["events"]
            if not page["events"]:
                return found
            after = page["next"]
