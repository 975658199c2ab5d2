#!/usr/bin/python3
"""The real coordinator, uplink and command line as processes, without a guard of the product's.

    process_test.py FOLDER_OF_THE_PROGRAMS

What needs printers that heat is in tests/system.
"""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BIN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build/dev/bin").resolve()
PATIENCE_S = 60


def wait_for(condition, what):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"never came: {what}")


class Program:
    """One of our daemons, with its log in a file."""

    def __init__(self, name, *arguments, log):
        self.log_file = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen([BIN / name, *map(str, arguments)], stdout=out,
                                            stderr=subprocess.STDOUT)

    def log(self):
        return self.log_file.read_text()

    def wait_log(self, text):
        wait_for(lambda: text in self.log() or self.process.poll() is not None, text)
        assert text in self.log(), f"{text!r} is not in:\n{self.log()}"

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()


class Guard:
    """Plays a guard on its socket: printers that a stop makes `tripped` and proven."""

    def __init__(self, path, agent, printers):
        guard = self
        self.path, self.agent = path, agent
        self.state = {name: "armed" for name in printers}
        self.stops = 0

        class Line(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    answer = guard.answer(json.loads(line))
                    self.wfile.write(json.dumps(answer).encode() + b"\n")

        self.server = socketserver.ThreadingUnixStreamServer(str(path), Line)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # An uplink that ends in the middle is wanted.
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, question):
        if question["do"] == "events":
            time.sleep(min(question.get("wait_ms", 0), 300) / 1000)
            return {"ok": True, "log": "00000000000000aa", "events": [],
                    "logs": [{"log": "00000000000000aa", "last_seq": 0}]}
        if question["do"] == "stop":
            self.stops += 1
            for name in question.get("printers") or self.state:
                self.state[name] = "tripped"
        return {"ok": True, "agent": self.agent, "boot": "b", "uptime_ms": 1, "printers": [
            {"name": name, "state": state, "latch_number": 1, "causes": [],
             "outcome": "proven" if state == "tripped" else "none"}
            for name, state in self.state.items()]}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Folder(unittest.TestCase):
    """A folder and one coordinator in it."""

    extra = ""
    starts = 0

    def setUp(self):
        keep = tempfile.TemporaryDirectory(prefix="fb-")
        self.addCleanup(keep.cleanup)
        self.folder = pathlib.Path(keep.name)
        self.state = self.folder / "state"
        self.yaml = self.folder / "coordinator.yaml"
        self.good = (f"state_dir: {self.state}\nhttp: {{ port: 0 }}\nagents: {{ port: 0 }}\n"
                     + self.extra)
        self.yaml.write_text(self.good)
        self.start()

    def start(self):
        self.starts += 1
        self.coordinator = Program("firebreak-coordinator", "--config", self.yaml,
                                   log=self.folder / f"coordinator-{self.starts}.log")
        self.addCleanup(self.coordinator.end)
        self.coordinator.wait_log("people connect to")
        log = self.coordinator.log().splitlines()
        self.port = int([line for line in log if "people connect to" in line][-1].rsplit(":")[-1])
        self.agent_port = int([line for line in log if "agents connect to" in line][-1].split()[-1])
        self.token = (self.state / "admin.token").read_text().strip()
        self.tls = ssl.create_default_context(cafile=self.state / "ca.pem")

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        return self.tls.wrap_socket(raw, server_hostname="127.0.0.1")

    def raw(self, data):
        """Sends bytes as they are; the whole answer."""
        with self.connect() as tls:
            tls.sendall(data)
            answer = b""
            with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
                while piece := tls.recv(65536):
                    answer += piece
        return answer

    def request(self, method, path, body=None, token=None, **headers):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls,
                                                 timeout=PATIENCE_S)
        with contextlib.closing(connection):
            sent = {"Authorization": f"Bearer {token or self.token}",
                    "Content-Type": "application/json",
                    **{name.replace("_", "-"): value for name, value in headers.items()}}
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith("{") else text

    def cli(self, *arguments):
        environment = {**os.environ, "FIREBREAK_CONFIG": str(self.folder / "home"),
                       "FIREBREAK_SOCKET": str(self.folder / "none.sock"), "NO_COLOR": "1"}
        return subprocess.run([BIN / "firebreak", *map(str, arguments)], env=environment, text=True,
                              capture_output=True, timeout=PATIENCE_S)

    def login(self):
        done = self.cli("login", f"https://127.0.0.1:{self.port}", "--ca", self.state / "ca.pem",
                        "--token-file", self.state / "admin.token")
        self.assertEqual(0, done.returncode, done.stderr)

    def enroll(self, name, printers):
        """An agent with a played guard; its uplink runs."""
        guard = Guard(self.folder / f"{name}.sock", name, printers)
        self.addCleanup(guard.close)
        config = self.folder / f"{name}.yaml"
        config.write_text(f"agent: {name}\nguard_socket: {guard.path}\n"
                          f"state_dir: {self.folder / name}\nreconnect_max_seconds: 1\n")
        token = self.cli("enroll", name)
        self.assertEqual(0, token.returncode, token.stderr)
        done = subprocess.run([BIN / "firebreak-uplink", "enroll", "--config", config,
                               "--token-file", "-"], input=token.stdout, text=True,
                              capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(0, done.returncode, done.stderr)
        guard.uplink = self.uplink(name)
        self.wait_connected(name)
        return guard

    def uplink(self, name):
        program = Program("firebreak-uplink", "--config", self.folder / f"{name}.yaml",
                          log=self.folder / f"{name}.log")
        self.addCleanup(program.end)
        return program

    def wait_connected(self, name, connected=True):
        def there():
            agents = self.request("GET", "/api/v1/agents")[1]["agents"]
            return any(agent["name"] == name and agent["connected"] == connected
                       and agent["printers"] for agent in agents)
        wait_for(there, f"{name} connected: {connected}")


class FirstStart(Folder):
    def test_says_where_token_and_ca_are_and_the_fingerprint_that_people_compare(self):
        log = self.coordinator.log()
        der = ssl.PEM_cert_to_DER_cert((self.state / "ca.pem").read_text())
        digits = hashlib.sha256(der).hexdigest()
        shown = ":".join(digits[i:i + 2] for i in range(0, 64, 2))
        self.assertIn(shown, log)
        self.assertIn(str(self.state / "ca.pem"), log)
        self.assertIn(str(self.state / "admin.token"), log)
        self.assertNotIn(self.token, log)
        done = self.cli("login", f"https://127.0.0.1:{self.port}", "--fingerprint", shown,
                        "--token-file", self.state / "admin.token")
        self.assertEqual(0, done.returncode, done.stderr)

    def test_listens_on_loopback_alone(self):
        listening = set()
        for table, loopback in (("tcp", "0100007F"), ("tcp6", "0" * 24 + "01000000")):
            for line in pathlib.Path(f"/proc/{self.coordinator.process.pid}/net/{table}"
                                     ).read_text().splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                if state == "0A" and int(local.split(":")[1], 16) in (self.port, self.agent_port):
                    listening.add(local.split(":")[0] == loopback)
        self.assertEqual({True}, listening)


class Configuration(Folder):
    def hang_up(self, text):
        before = self.coordinator.log().count("configuration:")
        self.yaml.write_text(text)
        self.coordinator.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.coordinator.log().count("configuration:") > before, "a word on it")
        return self.coordinator.log().splitlines()[-1]

    def test_a_bad_one_never_replaces_a_running_one(self):
        for bad in ("http: { prot: 1 }\n", "http: { workers: 010 }\n", "durable_means: no\n",
                    "stop_retry_minutes: 10s\n", "log_level: info\nlog_level: debug\n"):
            said = self.hang_up(self.good.split("agents:")[0].split("http:")[0] + bad)
            self.assertIn("refused, the running one stays", said)
            self.assertIn(f"{self.yaml}:", said)
            self.assertEqual(200, self.request("GET", "/readyz")[0])
        self.yaml.unlink()
        self.coordinator.process.send_signal(signal.SIGHUP)
        self.coordinator.wait_log("cannot be read")
        self.assertIn("all of it counts now", self.hang_up(self.good))

    def test_what_needs_a_restart_is_named_and_the_rest_counts_at_once(self):
        said = self.hang_up(self.good.replace("http: { port: 0 }",
                                              "http: { port: 0, workers: 7, names: [shop] }")
                            + "stop_retry_minutes: 2\nlog_level: debug\n")
        self.assertIn("needs a restart: http.names, http.workers", said)

    def test_check_config_refuses_what_yaml_would_turn_into_something_else(self):
        for bad, allowed in (("state_dir: s\nhtp: {}\n", "http"),
                             ("state_dir: s\nstate_dir: t\n", "doubled"),
                             ("state_dir: s\nhttp: { port: 010 }\n", "010"),
                             ("state_dir: s\ndurable_means: no\n", "quotes"),
                             ("state_dir: s\ndurable_means: off\n", "quotes"),
                             ("state_dir: s\ndurable_means: here\n", "off_host"),
                             ("state_dir: s\nstop_retry_hours: 1\n", "stop_retry_minutes"),
                             ("state_dir: s\nhttp: { port: 70000 }\n", "65535")):
            self.yaml.write_text(bad)
            done = subprocess.run([BIN / "firebreak-coordinator", "--config", self.yaml,
                                   "--check-config"], capture_output=True, text=True)
            self.assertEqual(2, done.returncode, done)
            self.assertRegex(done.stderr, rf"{self.yaml}:\d+")
            self.assertIn(allowed, done.stderr)
        done = subprocess.run([BIN / "firebreak-coordinator", "--config", self.folder / "none.yaml",
                               "--check-config"], capture_output=True, text=True)
        self.assertEqual(2, done.returncode)
        self.assertIn("none.yaml", done.stderr)

    def test_an_uplink_stays_with_what_it_has_when_it_is_hung_up(self):
        self.login()
        guard = self.enroll("garage", ["p1"])
        config = self.folder / "garage.yaml"
        good = config.read_text()
        config.write_text(good + "reconnect: 5\n")
        guard.uplink.process.send_signal(signal.SIGHUP)
        guard.uplink.wait_log(f"{config}:5")
        config.write_text(good.replace("_seconds: 1", "_seconds: 9"))
        guard.uplink.process.send_signal(signal.SIGHUP)
        guard.uplink.wait_log("needs a restart: reconnect_max_seconds")
        self.wait_connected("garage")


class HostileHttp(Folder):
    def head(self, *lines):
        return ("\r\n".join(["POST /api/v1/stop HTTP/1.1", "Host: localhost",
                             f"Authorization: Bearer {self.token}",
                             "Content-Type: application/json", *lines]) + "\r\n\r\n").encode()

    def code_of(self, answer):
        self.assertIn(b"application/problem+json", answer, answer)
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"]

    def test_ambiguous_framing_is_refused_and_the_connection_closed(self):
        body = b'{"all":true}'
        for lines in (["Content-Length: 12", "Content-Length: 12"],
                      ["Content-Length: 12", "Content-Length: 13"],
                      ["Content-Length: 12", "Transfer-Encoding: chunked"],
                      ["Content-Length: +12"], ["Content-Length: 12, 12"],
                      ["Content-Length : 12"], ["Content-Length: 0x0c"]):
            answer = self.raw(self.head(*lines) + body + b"GET /version HTTP/1.1\r\n\r\n")
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), (lines, answer))
            self.assertEqual(1, answer.count(b"HTTP/1.1 "), "what follows is not a request")
        self.assertTrue(self.raw(self.head("Transfer-Encoding: chunked") + b"0\r\n\r\n").startswith(
            b"HTTP/1.1 411 "))
        self.assertTrue(self.raw(self.head("Content-Length: 9999999")).startswith(
            b"HTTP/1.1 413 "))
        self.assertEqual(200, self.request("GET", "/api/v1/printers")[0])

    def test_json_of_wrong_types_and_depths_is_refused_with_the_place(self):
        status, body = self.request("POST", "/api/v1/stop", {"printers": "p1"})
        self.assertEqual((400, "/printers"), (status, body["errors"][0]["pointer"]))
        status, body = self.request("POST", "/api/v1/enrollments", {"agent": 7})
        self.assertEqual((400, "/agent"), (status, body["errors"][0]["pointer"]))
        status, body = self.request("POST", "/api/v1/stop", b"[" * 100_000 + b"]" * 100_000)
        self.assertEqual((400, "bad_json"), (status, body["code"]))
        self.assertEqual(200, self.request("GET", "/api/v1/printers")[0])

    def test_a_wrong_token_is_401_and_an_audit_record(self):
        before = self.request("GET", "/api/v1/audit/verify")[1]["total"]
        for token in ("nonsense", "fbt_" + "0" * 12 + "_" + "0" * 64):
            self.assertEqual(401, self.request("GET", "/api/v1/fleet", token=token)[0])
        wait_for(lambda: self.request("GET", "/api/v1/audit/verify")[1]["total"] > before,
                 "the record")
        records = self.request("GET", "/api/v1/audit/records?limit=500")[1]["records"]
        self.assertIn("auth.refuse", [record["action"] for record in records])

    def test_a_head_that_dribbles_is_ended_while_others_and_stops_are_served(self):
        slow = [self.connect() for _ in range(40)]
        try:
            for tls in slow:
                tls.sendall(b"POST /api/v1/stop HTT")
            began = time.monotonic()
            ended = set()
            while len(ended) < len(slow):
                self.assertLess(time.monotonic() - began, PATIENCE_S)
                self.assertEqual(200, self.request("GET", "/api/v1/printers")[0])
                self.assertEqual(202, self.request("POST", "/api/v1/stop", {"all": True})[0])
                for tls in slow:
                    tls.settimeout(0.01)
                    with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                        try:
                            tls.sendall(b"P")
                            if tls.recv(4096):
                                ended.add(tls)
                        except (ConnectionError, ssl.SSLError):
                            ended.add(tls)
        finally:
            for tls in slow:
                tls.close()

    def test_junk_where_tls_should_be_is_ended(self):
        for port in (self.port, self.agent_port):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain:
                plain.sendall(b"GET / HTTP/1.0\r\n\r\n" + bytes(range(256)) * 40)
                with contextlib.suppress(ConnectionResetError):
                    while plain.recv(4096):
                        pass
        self.assertEqual(200, self.request("GET", "/readyz")[0])


class FullDisk(Folder):
    """The state folder on a small disk of its own."""

    def setUp(self):
        keep = tempfile.TemporaryDirectory(prefix="fb-")
        self.addCleanup(keep.cleanup)
        self.folder = pathlib.Path(keep.name)
        self.state = self.folder / "state"
        self.state.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs",
                                  self.state], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no disk can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.state], check=False)
        self.yaml = self.folder / "coordinator.yaml"
        self.yaml.write_text(f"state_dir: {self.state}\nhttp: {{ port: 0 }}\n"
                             "agents: { port: 0 }\n")
        self.start()
        self.login()

    def fill(self):
        with open(self.state / "ballast", "ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass

    def test_refuses_changes_goes_on_stopping_and_recovers_by_itself(self):
        garage = self.enroll("garage", ["p1"])
        self.fill()
        # What room the database has of its own is used up first.
        wait_for(lambda: self.request("POST", "/api/v1/enrollments", {"agent": "attic"})[0] == 507,
                 "the refusal of a change")
        status, stop = self.request("POST", "/api/v1/stop", {"all": True})
        self.assertEqual((202, False), (status, stop["recorded"]), stop)
        self.assertIn("follows", stop["warning"])
        wait_for(lambda: garage.stops == 1, "the stop")
        self.assertEqual(200, self.request("GET", "/api/v1/fleet")[0])
        self.assertEqual(503, self.request("GET", "/readyz")[0])
        self.assertIn("changes are refused", self.coordinator.log())
        (self.state / "ballast").unlink()
        wait_for(lambda: self.request("GET", "/readyz")[0] == 200, "the recovery")
        wait_for(lambda: self.request("GET", "/api/v1/operations/" + stop["operation"])[1].get(
            "recorded"), "the record of the stop")
        self.assertEqual(0, self.request("GET", "/api/v1/audit/verify")[1]["invalid"])


class Authority(Folder):
    def roll(self, step):
        return subprocess.run([BIN / "firebreak-coordinator", "--config", self.yaml, "--roll-ca",
                               step], capture_output=True, text=True, timeout=PATIENCE_S)

    def restart_with(self, step):
        self.assertEqual(1, self.roll(step).returncode, "not while it runs")
        self.coordinator.end()
        done = self.roll(step)
        self.assertEqual(0, done.returncode, done)
        self.start()
        return done.stdout

    def note_of(self, name):
        agents = self.request("GET", "/api/v1/agents")[1]["agents"]
        return next(agent for agent in agents if agent["name"] == name)

    def test_is_replaced_without_enrolling_anybody_anew(self):
        # The ports must stay the same over the restarts.
        self.coordinator.end()
        self.yaml.write_text(f"state_dir: {self.state}\nhttp: {{ port: {self.port} }}\n"
                             f"agents: {{ port: {self.agent_port} }}\n")
        self.start()
        self.login()
        garage = self.enroll("garage", ["p1"])
        old = (self.state / "ca.pem").read_text()
        self.assertIn("ca-next.pem", self.restart_with("prepare"))
        self.wait_connected("garage")
        wait_for(lambda: self.note_of("garage")["knows_roots"], "the next root at the agent")
        self.restart_with("switch")
        self.assertNotEqual(old, (self.state / "ca.pem").read_text())
        self.assertEqual(1, self.cli("stop", "--all").returncode, "people must log in again")
        self.login()
        self.wait_connected("garage")
        wait_for(lambda: self.note_of("garage")["connected"]
                 and not self.note_of("garage")["of_old_root"], "a certificate of the new CA")
        self.restart_with("forget")
        self.login()
        self.wait_connected("garage")
        self.assertEqual(0, self.cli("stop", "--all").returncode)
        self.assertEqual(1, garage.stops)


class Stops(Folder):
    extra = "stop_retry_minutes: 1\n"

    def setUp(self):
        super().setUp()
        self.login()

    def test_a_revoked_agents_printers_are_shown_as_not_sent(self):
        garage = self.enroll("garage", ["p1", "p2"])
        attic = self.enroll("attic", ["a1"])
        self.assertEqual(0, self.cli("agents", "revoke", "attic").returncode)
        done = self.cli("stop", "--all")
        self.assertEqual(3, done.returncode, done)
        rows = {line.split("\t")[0]: line for line in done.stdout.splitlines()}
        self.assertIn("stopped and proven", rows["p1"])
        self.assertIn("revoked", rows["a1"])
        self.assertEqual((1, 0), (garage.stops, attic.stops))
        done = self.cli("stop", "--agent", "attic")
        self.assertEqual(1, done.returncode, done)
        self.assertIn("pull the power", done.stdout)

    @unittest.skipUnless(os.environ.get("FIREBREAK_FULL"), "takes its minute in real time")
    def test_a_stop_that_is_given_up_is_an_alarm_and_is_held_against_the_printer(self):
        garage = self.enroll("garage", ["p1"])
        garage.uplink.end()
        self.wait_connected("garage", False)
        done = self.cli("stop", "--printer", "p1", "--wait", "1")
        self.assertEqual(1, done.returncode, done)
        self.assertIn("within 1 min", done.stdout)
        def given_up():
            events = self.request("GET", "/api/v1/events?severity=alarm")[1]["events"]
            return any(event["kind"] == "stop.missed" for event in events)
        until = time.monotonic() + 60
        while not given_up():
            self.assertLess(time.monotonic(), until + PATIENCE_S, "the alarm")
            time.sleep(0.5)
        garage.uplink = self.uplink("garage")
        self.wait_connected("garage")
        seen = self.cli("status", "--printer", "p1").stdout
        self.assertIn("was NOT stopped by stop", seen)
        self.assertEqual(0, garage.stops)
        self.assertEqual(0, self.cli("stop", "--printer", "p1").returncode)
        self.assertEqual(1, garage.stops)
        self.assertNotIn("NOT stopped", self.cli("status", "--printer", "p1").stdout)

    def test_the_same_key_stops_once_and_no_key_stops_again(self):
        garage = self.enroll("garage", ["p1"])
        first = self.request("POST", "/api/v1/stop", {"all": True}, Idempotency_Key="k1")
        self.assertEqual(first, self.request("POST", "/api/v1/stop", {"all": True},
                                             Idempotency_Key="k1"))
        self.assertEqual(422, self.request("POST", "/api/v1/stop", {"agent": "garage"},
                                           Idempotency_Key="k1")[0])
        wait_for(lambda: garage.stops == 1, "the stop")
        self.request("POST", "/api/v1/stop", {"all": True})
        wait_for(lambda: garage.stops == 2, "the second one")


if __name__ == "__main__":
    unittest.main()
