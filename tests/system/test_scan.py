"""Which printers an agent can see, and why one is offline: through the coordinator, and without."""

import json
import os
import subprocess

from case import Farm, FarmTestCase, wait_for
from simulator import Simulator

KINDS = {"o1": "octoprint", "m1": "moonraker", "k1": "prusalink", "d1": "reprapfirmware"}


class ScanTest(FarmTestCase):
    SECONDS = 240

    @classmethod
    def make_farm(cls):
        return Farm({"garage": {"printers": ["p1", *KINDS], "kinds": KINDS}}, coordinator=True)

    @classmethod
    def setUpClass(cls):
        # Nothing here needs an armed printer.
        cls.farm = cls.make_farm()
        try:
            cls.farm.start(immortal=True)
            cls.garage = cls.farm["garage"]
            cls.env = {**os.environ, "XDG_CONFIG_HOME": str(cls.farm.folder / "home"),
                       "NO_COLOR": "1"}
            coordinator = cls.farm.coordinator
            done = cls.cli("login", f"https://127.0.0.1:{coordinator.http_port}", "--ca",
                           coordinator.ca_file, "--token-file", coordinator.token_file)
            if done.returncode != 0:
                raise AssertionError(f"login failed: {done}")
            cls.garage.wait_links(60)
            folder = cls.farm.folder / "stranger"
            folder.mkdir()
            cls.stranger = Simulator(folder, cls.farm.binary("firebreak-sim"), "stranger",
                                     list(KINDS), relays="none", seed=77, kinds=KINDS)
            cls.stranger.start()
        except BaseException:
            cls.farm.close(failed=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.stranger.stop()
        super().tearDownClass()

    @classmethod
    def cli(cls, *arguments, timeout_s=120):
        return subprocess.run([cls.farm.binary("firebreak"), *map(str, arguments)], env=cls.env,
                              capture_output=True, text=True, timeout=timeout_s)

    def scan(self, *arguments):
        done = self.cli("scan", "--json", *arguments)
        self.assertEqual(0, done.returncode, done)
        return json.loads(done.stdout)

    def diagnose(self, printer, *arguments):
        done = self.cli("diagnose", "--printer", printer, "--json", *arguments)
        report = json.loads(done.stdout or "null")
        self.assertIsNotNone(report, done)
        return done.returncode, report, {step["step"]: step for step in report["steps"]}

    def address(self, simulator, printer):
        return simulator.state(printer)["address"].removeprefix("http://")

    def wait_link(self, printer, *states):
        wait_for(lambda: self.garage.ask.printer(printer)["link"]["state"] in states, 60,
                 f"the link of {printer} to be {'/'.join(states)}")
        # The coordinator hears it a second later.
        path = f"/api/v1/printers/{printer}"
        wait_for(lambda: self.farm.coordinator.api.get(path)["link"]["state"] in states, 30,
                 f"the coordinator to know of {printer}")

    def test_what_answers_its_guard_is_known(self):
        found = self.scan()["findings"]
        self.assertEqual({"p1", *KINDS}, {f["printer"] for f in found}, found)
        self.assertEqual({"known"}, {f["standing"] for f in found}, found)

    def test_a_stranger_is_recognised_without_a_key_and_its_configuration_is_written(self):
        for printer, kind in KINDS.items():
            with self.subTest(kind=kind):
                address = self.address(self.stranger, printer)
                answer = self.scan("--host", address, "--register")
                new = [f for f in answer["findings"] if f["standing"] == "new"]
                self.assertEqual([(kind, f"http://{address}", "answered", "garage")],
                                 [(f["kind"], f["address"], f["sure"], f["agent"]) for f in new])
                self.assertIn(f"network: {kind}", answer["configuration"])
                self.assertIn(f'address: "http://{address}"', answer["configuration"])

    def test_a_host_without_avahi_says_so_and_the_rest_of_the_scan_goes_on(self):
        answer = self.scan()
        for problem in answer["problems"]:
            self.assertIn("avahi", problem, "only the daemon may be missing here")
        self.assertTrue(answer["findings"])

    def test_a_range_that_is_public_or_too_large_is_refused(self):
        for bad in ("8.8.8.0/24", "10.0.0.0/8", "nonsense"):
            done = self.cli("scan", "--range", bad)
            self.assertEqual(1, done.returncode, done)
            self.assertIn("garage", done.stderr)

    def test_a_printer_that_answers_is_back(self):
        for printer in ("p1", *KINDS):
            with self.subTest(printer=printer):
                status, report, steps = self.diagnose(printer)
                self.assertEqual(0, status, report)
                self.assertTrue(report["back"])
                self.assertEqual("good", steps["agent"]["outcome"])
                self.assertEqual("good", steps["firmware"]["outcome"], steps)
                self.assertEqual("ready", report["status"]["link"]["state"])

    def test_a_wrong_key_is_found_at_its_step(self):
        self.garage.sim.fault("o1", "wrong_key")
        self.addCleanup(self.wait_link, "o1", "ready")
        self.addCleanup(self.garage.sim.fault, "o1", "wrong_key", False)
        self.wait_link("o1", "blocked")
        status, report, steps = self.diagnose("o1")
        self.assertEqual(8, status, report)
        self.assertEqual("good", steps["answer"]["outcome"], steps)
        self.assertEqual("bad", steps["credentials"]["outcome"], steps)
        self.assertIn("key_file", steps["credentials"]["next"])

    def test_a_dead_service_is_missing_in_the_scan_and_its_port_is_the_finding(self):
        self.garage.sim.fault("m1", "gone")
        self.addCleanup(self.wait_link, "m1", "ready")
        self.addCleanup(self.garage.sim.fault, "m1", "gone", False)
        self.wait_link("m1", "absent")
        missing = [f["printer"] for f in self.scan()["findings"] if f["standing"] == "missing"]
        self.assertEqual(["m1"], missing)
        status, report, steps = self.diagnose("m1")
        self.assertEqual(8, status, report)
        self.assertFalse(report["back"])
        self.assertEqual("bad", steps["port"]["outcome"], steps)
        self.assertIn("moonraker", steps["port"]["next"])
        self.assertNotIn("credentials", steps, "what cannot be tried is not told")

    def test_a_cable_that_is_out_is_found_without_a_coordinator(self):
        port = self.garage.sim.port("p1")
        target = os.readlink(port)
        port.unlink()
        try:
            done = self.garage.local("diagnose", "--printer", "p1", "--json", "--uplink-config",
                                     self.garage.uplink_yaml)
        finally:
            port.symlink_to(target)
        steps = {step["step"]: step for step in json.loads(done.stdout)["steps"]}
        self.assertEqual("bad", steps["port"]["outcome"], done)
        self.assertIn("cable", steps["port"]["next"])

    def test_an_unknown_printer_is_not_found(self):
        done = self.cli("diagnose", "--printer", "nobody")
        self.assertEqual(5, done.returncode, done)

    def test_a_port_is_not_opened_before_somebody_has_read_what_that_does(self):
        opened = self.garage.sim.opens("p1")
        done = self.garage.local("scan", "--probe", self.garage.sim.port("p1"))
        self.assertEqual(6, done.returncode, done)
        self.assertIn("resets", done.stderr)
        self.assertEqual(opened, self.garage.sim.opens("p1"))

    def test_local_scan_needs_no_coordinator(self):
        done = self.garage.local("scan", "--json", "--uplink-config", self.garage.uplink_yaml,
                                 timeout_s=60)
        self.assertEqual(0, done.returncode, done)
        found = {f["printer"]: f["standing"] for f in json.loads(done.stdout)["findings"]}
        self.assertEqual({p: "known" for p in ("p1", *KINDS)}, found)
