#!/usr/bin/python3
"""The firebreak command against a coordinator of this test's own, over real HTTPS.

    https_test.py PATH_OF_FIREBREAK

The certificates are made by openssl, so that nothing here is shared with the product.
"""
import hashlib
import http.server
import json
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

FIREBREAK = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "firebreak").resolve()
TOKEN = "fbt_1_secret"


def openssl(*arguments, folder):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    """ca.pem, and a server's chain.pem and key.pem for 127.0.0.1."""
    (folder / "san.cnf").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=test root", folder=folder)
    openssl("req", *key, "-keyout", "key.pem", "-out", "server.csr", "-subj", "/CN=coordinator",
            folder=folder)
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "30", "-extfile", "san.cnf", "-out", "server.pem",
            folder=folder)
    (folder / "chain.pem").write_text((folder / "server.pem").read_text()
                                      + (folder / "ca.pem").read_text())


def printer(name, **more):
    return {"name": name, "agent": "garage", "state": "armed", "connected": True, "age_ms": 200,
            "outcome": "none", "latch_number": 3, "causes": [], "first_cause": None,
            "no_new_heat": [], "relay": "r1", "independent_stop": True, "attention": None,
            "link": {"state": "ready", "port": "/dev/x", "age_ms": 20}, "heaters": [], **more}


def answer(name, outcome, **more):
    return {"printer": name, "agent": "garage", "outcome": outcome, "state": "tripped",
            "result": "done", "message": "", "code": None, "final": True, "age_ms": 0, **more}


class Coordinator(http.server.ThreadingHTTPServer):
    """Answers what `routes` says: (method, path) -> (status, value) or a function of the handler."""
    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)
        self.routes = {}
        self.seen = []
        self.url = f"https://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # A client that refuses our certificate is what some tests want.


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def go(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.seen.append((self.command, self.path, body))
        if self.path != "/healthz" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.reply(401, {"detail": "the token is not known", "code": "unauthorized",
                                    "hint": "log in again"})
        route = self.server.routes.get((self.command, self.path))
        if callable(route):
            return route(self)
        self.reply(*(route or (404, {"detail": "no such thing", "code": "not_found", "hint": ""})))

    do_GET = do_POST = do_DELETE = go

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def events(self, text):
        """A piece of an event stream, which then ends."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text.encode())
        self.close_connection = True


def sse(kind, value, number=1):
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(value)}\n\n"


class OverHttps(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.keep.name)
        make_certificates(cls.folder)
        (cls.folder / "token").write_text(TOKEN + "\n")

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def setUp(self):
        self.coordinator = Coordinator(self.folder)
        self.addCleanup(self.coordinator.server_close)
        self.addCleanup(self.coordinator.shutdown)
        self.config = tempfile.TemporaryDirectory()
        self.addCleanup(self.config.cleanup)
        self.routes = self.coordinator.routes
        self.routes["GET", "/api/v1/fleet"] = (200, {
            "summary": {"agents": 1, "agents_connected": 1, "printers": 1}, "agents": [],
            "printers": [printer("p1")]})
        self.routes["GET", "/api/v1/printers"] = (200, {"printers": [printer("p1")]})

    def type(self, *words, stdin=""):
        environment = {"FIREBREAK_CONFIG": self.config.name, "PATH": os.environ["PATH"],
                       "FIREBREAK_SOCKET": str(self.folder / "no-guard.sock"), "USER": "ana",
                       "https_proxy": "http://127.0.0.1:1"}
        return subprocess.run([FIREBREAK, *words], input=stdin, env=environment, text=True,
                              capture_output=True, timeout=60)

    def login(self):
        done = self.type("login", self.coordinator.url, "--ca", self.folder / "ca.pem",
                         "--token-file", self.folder / "token")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def operation(self, kind, answers, stream=None, path="/api/v1/stop", targets=None):
        names = targets or [{"printer": a["printer"], "agent": a["agent"]} for a in answers]
        self.routes["POST", path] = (202, {"operation": "00" * 8, "targets": names, "unknown": [],
                                           "recorded": True, "warning": None})
        text = stream if stream is not None else "".join(
            sse("printer", a, i) for i, a in enumerate(answers, 1)) + sse("done", {}, 99)
        self.routes["GET", f"/api/v1/operations/{'00' * 8}/events"] = lambda h: h.events(text)
        self.routes["GET", f"/api/v1/operations/{'00' * 8}"] = (
            200, {"id": "00" * 8, "kind": kind, "state": "done", "printers": answers})

    # ---- login --------------------------------------------------------------------------------

    def test_login_by_ca_file_keeps_what_is_needed_and_shows_no_token(self):
        done = self.login()
        self.assertNotIn("secret", done.stdout + done.stderr)
        token = pathlib.Path(self.config.name) / "token"
        self.assertEqual(token.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.type("status").returncode, 0)

    def test_login_by_fingerprint_pins_that_root_and_no_other(self):
        der = ssl.PEM_cert_to_DER_cert((self.folder / "ca.pem").read_text())
        good = hashlib.sha256(der).hexdigest()
        url = self.coordinator.url
        done = self.type("login", url, stdin=TOKEN)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--fingerprint", done.stderr)
        shown = done.stderr.split("--fingerprint ")[1].strip()
        self.assertEqual(shown.replace(":", ""), good)
        done = self.type("login", url, "--fingerprint", "00" * 32, stdin=TOKEN)
        self.assertEqual(done.returncode, 4)
        self.assertFalse(any(pathlib.Path(self.config.name).iterdir()))
        done = self.type("login", url, "--fingerprint", shown, stdin=TOKEN)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_wrong_token_is_status_4_and_nothing_is_kept(self):
        (self.folder / "wrong").write_text("fbt_2_other")
        done = self.type("login", self.coordinator.url, "--ca", self.folder / "ca.pem",
                         "--token-file", self.folder / "wrong")
        self.assertEqual(done.returncode, 4)
        self.assertFalse(any(pathlib.Path(self.config.name).iterdir()))

    def test_another_root_is_refused_before_the_token_is_sent(self):
        with tempfile.TemporaryDirectory() as other:
            make_certificates(pathlib.Path(other))
            done = self.type("login", self.coordinator.url, "--ca", pathlib.Path(other) / "ca.pem",
                             "--token-file", self.folder / "token")
        self.assertEqual(done.returncode, 1)
        self.assertIn("next: ", done.stderr)
        self.assertEqual(self.coordinator.seen, [])

    # ---- views --------------------------------------------------------------------------------

    def test_status_fleet_and_a_printer_that_is_not_there(self):
        self.login()
        self.assertTrue(self.type("status").stdout.startswith("p1\tgarage\tarmed\t"))
        self.assertEqual(json.loads(self.type("--json", "fleet").stdout)["printers"][0]["name"],
                         "p1")
        done = self.type("status", "--printer", "p11")
        self.assertEqual(done.returncode, 5)
        self.assertIn("did you mean 'p1'?", done.stderr)

    def test_check_is_status_8_when_a_printer_needs_attention(self):
        self.login()
        self.assertEqual(self.type("status", "--check").returncode, 0)
        self.routes["GET", "/api/v1/fleet"] = (200, {"printers": [
            printer("p1", attention="its relay has not been tested")]})
        self.assertEqual(self.type("status", "--check").returncode, 8)

    def test_events_follow_resumes_after_the_last_whole_event(self):
        self.login()
        event = {"agent": "garage", "severity": "info", "kind": "state", "wall": None,
                 "received": "2026-01-01T00:00:00Z", "printer": "p1"}
        self.routes["GET", "/api/v1/events?latest=50"] = (200, {"events": [], "next": 0, "last": 6})
        asked = []

        def stream(handler):
            asked.append(handler.headers.get("Last-Event-ID"))
            if len(asked) == 1:
                handler.events(sse("event", {**event, "text": "one"}, 7) + "id: 8\ndata: {\"ki")
            else:
                handler.reply(403, {"detail": "enough", "code": "forbidden", "hint": ""})
        self.routes["GET", "/api/v1/events/stream"] = stream
        done = self.type("events", "--follow")
        self.assertEqual(done.returncode, 4)
        self.assertEqual(asked, ["6", "7"])
        self.assertEqual(done.stdout, "2026-01-01T00:00:00Z\tinfo\tp1\tstate\tone\n")

    # ---- stop ---------------------------------------------------------------------------------

    def test_stop_prints_each_printer_and_is_done_only_when_all_are_proven(self):
        self.login()
        self.operation("stop", [answer("p1", "proven"), answer("p2", "proven")])
        done = self.type("stop", "--all")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "p1\tgarage\tstopped and proven\t-\n"
                                      "p2\tgarage\tstopped and proven\t-\n")
        self.assertIn(("POST", "/api/v1/stop", {"all": True}), self.coordinator.seen)

    def test_stop_statuses_of_what_is_not_proven(self):
        self.login()
        away = answer("p2", None, code="agent_offline", message="garage is away", final=True)
        for answers, status in [([answer("p1", "proven"), answer("p2", "sent")], 3),
                                ([answer("p1", "sent"), answer("p2", "sent")], 7),
                                ([answer("p2", "not_sent")], 1), ([away], 1)]:
            self.operation("stop", answers)
            done = self.type("stop", "--printer", "p1", "p2")
            self.assertEqual(done.returncode, status, done.stdout)
            self.assertIn("pull the power", done.stdout)

    def guard(self, agent, accepts=True):
        """The guard of this host: says that p1 is proven once it was asked to stop."""
        path = self.folder / "guard.sock"
        asked = []

        class Line(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    question = json.loads(line)
                    asked.append(question)
                    reply = {"ok": True, "agent": agent, "printers": [
                        {"name": "p1", "state": "tripped", "outcome": "proven"},
                        {"name": "p9", "state": "tripped", "outcome": "proven"}]}
                    if question["do"] == "stop" and not accepts:
                        reply = {"ok": False, "code": "forbidden", "message": "not for you"}
                    self.wfile.write(json.dumps(reply).encode() + b"\n")

        server = socketserver.ThreadingUnixStreamServer(str(path), Line)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(path.unlink)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return path, asked

    def test_stop_uses_the_guard_of_this_host_when_its_agent_is_not_reached(self):
        self.login()
        away = [answer(name, "not_sent", code="agent_offline", message="not connected",
                       final=False) for name in ("p1", "p2")]
        away[1]["agent"] = "attic"
        self.operation("stop", away)
        path, asked = self.guard("garage")
        done = self.type("--socket", str(path), "stop", "--all")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("p1\tgarage\tstopped and proven", done.stdout)
        self.assertIn("p2\tattic\tNOT SENT", done.stdout.replace("not sent", "NOT SENT"))
        stops = [question for question in asked if question["do"] == "stop"]
        self.assertEqual([question["printers"] for question in stops], [["p1"]])
        self.assertNotIn("p9", done.stdout)

    def test_stop_asks_the_guard_of_this_host_when_its_agent_is_silent(self):
        self.login()
        self.operation("stop", [], stream="", targets=[{"printer": "p1", "agent": "garage"}])
        path, asked = self.guard("garage")
        done = self.type("--socket", str(path), "stop", "--printer", "p1", "--wait", "3")
        self.assertEqual((done.returncode, done.stdout.split("\t")[2]), (0, "stopped and proven"),
                         done.stderr)

    def test_stop_leaves_the_guard_of_this_host_alone_when_its_agent_has_answered(self):
        self.login()
        self.operation("stop", [answer("p1", "sent")])
        path, asked = self.guard("garage")
        self.assertEqual(self.type("--socket", str(path), "stop", "--all").returncode, 7)
        self.assertEqual([q for q in asked if q["do"] == "stop"], [])

    def test_a_guard_that_refuses_leaves_the_coordinators_word(self):
        self.login()
        self.operation("stop", [answer("p1", "not_sent", code="agent_offline", final=False)])
        path, _ = self.guard("garage", accepts=False)
        done = self.type("--socket", str(path), "stop", "--all")
        self.assertEqual(done.returncode, 1, done.stdout)

    def test_a_stream_that_breaks_is_made_good_by_asking(self):
        self.login()
        self.operation("stop", [answer("p1", "proven")], stream="id: 1\ndata: {\"pri")
        done = self.type("stop", "--all", "--wait", "2")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_without_any_answer_nobody_knows(self):
        self.login()
        self.operation("stop", [], stream="", targets=[{"printer": "p1", "agent": "garage"}])
        done = self.type("stop", "--agent", "garage", "--wait", "1")
        self.assertEqual(done.returncode, 7)
        self.assertIn("pull the power", done.stdout)

    def test_a_coordinator_that_is_gone_fails_loudly(self):
        self.login()
        self.coordinator.shutdown()
        self.coordinator.server_close()
        done = self.type("stop", "--all")
        self.assertEqual(done.returncode, 1)
        self.assertIn("NOT SENT. Pull the power", done.stderr)
        self.assertIn("does not answer", done.stderr)

    def test_a_coordinator_that_accepts_and_never_speaks_is_left_in_time(self):
        self.login()
        self.coordinator.shutdown()
        self.coordinator.server_close()
        with socket.create_server(("127.0.0.1", self.coordinator.server_port)):
            done = self.type("stop", "--all")
        self.assertIn(done.returncode, (1, 7))
        self.assertIn("NOT SENT. Pull the power", done.stderr)

    # ---- the rest -----------------------------------------------------------------------------

    def test_reset_needs_the_number_and_an_interlock_is_status_6(self):
        self.login()
        self.assertEqual(self.type("reset", "p1").returncode, 2)
        path = "/api/v1/printers/p1/reset"
        self.routes["POST", path] = (409, {"detail": "the button is pressed", "hint": "release it",
                                           "code": "interlock"})
        done = self.type("reset", "p1", "--latch", "3", "--reason", "looked")
        self.assertEqual(done.returncode, 6)
        self.assertIn("the button is pressed. release it", done.stderr)
        self.operation("reset", [answer("p1", None, result="refused", message="stuck_on resets at "
                                        "the machine")], path=path)
        self.assertEqual(self.type("reset", "p1", "--latch", "3").returncode, 6)
        self.operation("reset", [answer("p1", None)], path=path)
        self.assertEqual(self.type("reset", "p1", "--latch", "3").returncode, 0)
        self.operation("release", [answer("p1", None, result="pending", final=False)],
                       path="/api/v1/printers/p1/release")
        self.assertEqual(self.type("release", "p1").returncode, 7)

    def test_enroll_and_token_print_the_secret_alone(self):
        self.login()
        self.routes["POST", "/api/v1/enrollments"] = (201, {
            "id": "1", "agent": "attic", "token": "fb1.abc", "expires": "2026-01-01T00:00:00Z"})
        self.assertEqual(self.type("enroll", "attic").stdout, "fb1.abc\n")
        self.routes["POST", "/api/v1/tokens"] = (201, {"id": "7", "token": "fbt_7_x"})
        self.assertEqual(self.type("token", "create", "octo", "--scope", "view,stop").stdout,
                         "fbt_7_x\n")
        self.assertEqual(self.coordinator.seen[-1][2], {"name": "octo", "kind": "person",
                                                        "scopes": ["view", "stop"]})
        self.routes["DELETE", "/api/v1/tokens/7"] = (200, {"id": "7"})
        self.assertEqual(self.type("token", "revoke", "7").returncode, 0)

    def test_output_that_nobody_takes_is_a_failure(self):
        self.login()
        environment = {"FIREBREAK_CONFIG": self.config.name}
        with open("/dev/full", "w") as full:
            done = subprocess.run([FIREBREAK, "status"], env=environment, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("output could be written", done.stderr)

    def test_audit_verify_is_status_8_when_the_log_does_not_verify(self):
        self.login()
        path = ("GET", "/api/v1/audit/verify")
        self.routes[path] = (200, {"total": 9, "valid": 9, "invalid": 0, "first_invalid": None})
        self.assertEqual(self.type("audit", "verify").returncode, 0)
        self.routes[path] = (200, {"total": 9, "valid": 8, "invalid": 1, "first_invalid": 4,
                                   "detail": "record 4"})
        done = self.type("audit", "verify")
        self.assertEqual((done.returncode, done.stdout), (8, "9\t8\t1\t4\n"))

    def test_what_a_printer_says_cannot_drive_the_terminal(self):
        self.login()
        self.routes["GET", "/api/v1/fleet"] = (200, {"printers": [
            printer("p1", attention="\x1b[2J\x1b]0;owned\x07\u202e")]})
        done = self.type("status")
        self.assertNotIn("\x1b", done.stdout)
        self.assertIn("\\x1b[2J", done.stdout)


if __name__ == "__main__":
    unittest.main()
