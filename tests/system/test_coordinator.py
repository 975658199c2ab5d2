"""From the server room: stops that prove themselves, outages that lose nothing, exit statuses."""

import json
import os
import subprocess
import time
import unittest

from case import Farm, FarmTestCase, wait_for
from checker import verify
from network import Cable


class ServerRoomTest(FarmTestCase):
    SECONDS = 420

    @classmethod
    def make_farm(cls):
        return Farm({"garage": ["g1", "g2"], "attic": ["a1"], "cellar": ["c1"], "shed": ["s1"]},
                    coordinator=True)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        coordinator = cls.farm.coordinator
        cls.home = cls.farm.folder / "home"
        cls.env = {**os.environ, "XDG_CONFIG_HOME": str(cls.home), "NO_COLOR": "1"}
        done = cls.cli("login", f"https://127.0.0.1:{coordinator.http_port}", "--ca",
                       coordinator.ca_file, "--token-file", coordinator.token_file)
        if done.returncode != 0:
            raise AssertionError(f"login failed: {done}")

    @classmethod
    def cli(cls, *arguments, env=None, timeout_s=60):
        return subprocess.run([cls.farm.binary("firebreak"), *map(str, arguments)],
                              env=env or cls.env, capture_output=True, text=True,
                              timeout=timeout_s)

    def test_a_stop_by_name_is_proven_and_touches_no_other(self):
        garage = self.farm["garage"]
        self.heat(garage, "g1")
        began_ns = time.monotonic_ns()
        done = self.cli("stop", "--printer", "g1", "--wait", "60")
        self.assertEqual(0, done.returncode, done)
        self.assertIn("g1", done.stdout)
        garage.sim.wait_heat_off("g1")
        self.assert_stop_read(garage, "g1", began_ns, 5000)
        self.assertEqual("proven", garage.ask.printer("g1")["outcome"])
        self.assertEqual("armed", garage.ask.printer("g2")["state"])

    def test_a_stop_reaches_an_agent_that_was_away_when_it_returns(self):
        attic = self.farm["attic"]
        self.heat(attic, "a1")
        attic.uplink.kill()
        wait_for(lambda: not self.agent("attic")["connected"], 30, "the attic to be gone")
        began_ns = time.monotonic_ns()
        done = self.cli("stop", "--agent", "attic", "--wait", "2")
        self.assertNotEqual(0, done.returncode, "a stop that nobody answered is not done")
        self.assertIn("power", done.stdout + done.stderr, "a person must be told to pull the power")
        self.assertEqual([], attic.sim.facts("m112_read", began_ns))
        attic.uplink.start()
        self.assert_stop_read(attic, "a1", began_ns, 60_000)
        attic.sim.wait_heat_off("a1")

    def test_every_event_of_an_outage_arrives_once_and_in_a_whole_chain(self):
        cellar = self.farm["cellar"]
        self.farm.coordinator.kill()
        for _ in range(20):
            cellar.sim.press()
            cellar.sim.release()
        cellar.wait_state("c1", "tripped")
        self.farm.coordinator.start()
        wait_for(lambda: self.agent("cellar")["connected"], 60, "the cellar to be back")
        shown = {(event["log"], event["seq"]): event["hash"] for event in cellar.ask.events()}
        self.assertGreater(len(shown), 5)
        def stored():
            return [event for event in self.farm.coordinator.api.events()
                    if event["agent"] == "cellar" and event["log"]]
        wait_for(lambda: set(shown) <= {(event["log"], event["seq"]) for event in stored()}, 60,
                 "every event of the cellar")
        rows = sorted(stored(), key=lambda event: (event["log"], event["seq"]))
        self.assertEqual(len(rows), len({(event["log"], event["seq"]) for event in rows}))
        self.assertIsNone(verify(rows))
        self.assertEqual(0, self.cli("audit", "verify").returncode)

    def test_a_signed_grant_resets_and_releases_a_mild_cause_and_no_other(self):
        shed = self.farm["shed"]
        person = self.person_with("view,reset")
        # A firmware that goes on reporting after a stop, so that it is seen to be cold.
        shed.sim.fault("s1", "halt_ignored")
        self.assertEqual(0, self.cli("stop", "--printer", "s1", "--wait", "60").returncode)
        seen = shed.wait_state("s1", "tripped")
        self.assertEqual("coordinator", seen["first_cause"])
        reset = ["reset", "s1", "--latch", seen["latch_number"], "--reason", "looked by camera"]
        refused = self.cli(*reset, env=self.person_with("view,stop"))
        self.assertEqual(4, refused.returncode, refused)
        wrong = self.cli(*reset[:3], seen["latch_number"] + 1, *reset[4:], env=person)
        self.assertNotEqual(0, wrong.returncode)
        self.assertEqual("tripped", shed.ask.printer("s1")["state"])

        self.until_done(reset, person)
        self.assertEqual("probation", shed.wait_state("s1", "probation")["state"])
        early = self.cli("release", "s1", env=person)
        self.assertEqual(6, early.returncode, early)
        wait_for(lambda: (shed.ask.printer("s1").get("probation") or {}).get("phase") == "clean",
                 150, "the clean minute", every_s=0.2)
        self.until_done(["release", "s1"], person)
        armed = shed.wait_state("s1", "armed", "watch")
        self.assertEqual([0, 0], [heater["target"] for heater in armed["heaters"]])

        shed.sim.press()
        shed.sim.release()
        number = shed.wait_state("s1", "tripped")["latch_number"]
        wait_for(lambda: self.farm.coordinator.api.printer("s1")["latch_number"] == number, 30,
                 "the button's latch at the coordinator")
        button = self.cli("reset", "s1", "--latch", number, "--reason", "no", env=person)
        self.assertEqual(6, button.returncode, button)
        self.assertIn("only at the machine", button.stderr)
        self.assertEqual("tripped", shed.ask.printer("s1")["state"])

    def until_done(self, command, env):
        """Repeats what is refused as long as the printer is not known to be cold, or clean."""
        said = []
        def done():
            said.append(self.cli(*command, env=env))
            return said[-1].returncode == 0
        try:
            wait_for(done, 60, "an end of refusals", every_s=1)
        except AssertionError as error:
            raise AssertionError(f"{command}: {error}; {said[-1]}") from None

    def person_with(self, scopes):
        """The environment of somebody whose token has these scopes."""
        coordinator = self.farm.coordinator
        home = self.farm.folder / ("home-" + scopes.replace(",", "-"))
        env = {**self.env, "XDG_CONFIG_HOME": str(home)}
        made = self.cli("token", "create", "somebody", "--scope", scopes)
        self.assertEqual(0, made.returncode, made)
        token = self.farm.folder / "person.token"
        token.write_text(made.stdout)
        done = self.cli("login", f"https://127.0.0.1:{coordinator.http_port}", "--ca",
                        coordinator.ca_file, "--token-file", token, env=env)
        self.assertEqual(0, done.returncode, done)
        return env

    def test_exit_statuses_say_what_happened(self):
        wrong = self.farm.folder / "wrong.token"
        wrong.write_text("fbt_AAAAAAAA_" + "A" * 43 + "\n")
        coordinator = self.farm.coordinator
        for expected, arguments in [
                (0, ["status"]), (0, ["fleet"]), (0, ["agents"]), (0, ["events", "--limit", "3"]),
                (0, ["audit", "verify"]), (2, ["stop"]), (2, ["no-such-command"]),
                (5, ["status", "--printer", "nobody"]), (5, ["stop", "--printer", "nobody"]),
                (4, ["--config", self.farm.folder / "other", "login",
                     f"https://127.0.0.1:{coordinator.http_port}", "--ca", coordinator.ca_file,
                     "--token-file", wrong])]:
            with self.subTest(arguments=arguments):
                done = self.cli(*arguments)
                self.assertEqual(expected, done.returncode, done)
                if expected:
                    self.assertEqual("", done.stdout, "errors belong on stderr")
                    self.assertNotEqual("", done.stderr)

    def test_json_is_json_and_a_pipe_gets_tabs(self):
        for arguments in (["status"], ["fleet"], ["agents"]):
            json.loads(self.cli(*arguments, "--json").stdout)
        lines = self.cli("status").stdout.splitlines()
        self.assertTrue(lines and all("\t" in line for line in lines), lines)

    def test_a_wrong_token_is_refused_and_recorded(self):
        api = self.farm.coordinator.api
        before = api.get("/api/v1/audit/verify")["total"]
        status, headers, body = api.request("GET", "/api/v1/fleet", token="fbt_AAAAAAAA_wrong")
        self.assertEqual(401, status, body)
        self.assertIn("application/problem+json", headers["Content-Type"])
        wait_for(lambda: api.get("/api/v1/audit/verify")["total"] > before, 5, "the audit record")

    def test_bad_json_is_refused_with_the_place(self):
        api = self.farm.coordinator.api
        status, _, body = api.request("POST", "/api/v1/stop", {"printers": "g1"})
        self.assertEqual(400, status, body)
        self.assertIn("/printers", json.dumps(body["errors"]))
        deep = b"[" * 100_000 + b"]" * 100_000
        status, _, body = api.request("POST", "/api/v1/stop", deep)
        self.assertIn(status, (400, 413), body)
        self.assertEqual(200, api.request("GET", "/readyz")[0])

    def agent(self, name):
        answer = self.farm.coordinator.api.get("/api/v1/agents")
        rows = answer["agents"] if isinstance(answer, dict) else answer
        return next(row for row in rows if row["name"] == name)


if __name__ == "__main__":
    unittest.main()
