#!/usr/bin/python3
"""The completion scripts in the shells that they are for.

    completion_test.py PATH_OF_FIREBREAK

A shell that is not installed is skipped by name.
"""
import json
import os
import pathlib
import pty
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest

FIREBREAK = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "firebreak").resolve()


class Guard(socketserver.StreamRequestHandler):
    """Knows two printers, for the names."""

    def handle(self):
        for _ in self.rfile:
            self.wfile.write(json.dumps({"ok": True, "agent": "garage", "printers": [
                {"name": "prusa-1"}, {"name": "voron"}]}).encode() + b"\n")


class Completion(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory(prefix="fb-")
        self.addCleanup(keep.cleanup)
        self.folder = pathlib.Path(keep.name)
        guard = socketserver.ThreadingUnixStreamServer(str(self.folder / "guard.sock"), Guard)
        guard.daemon_threads = True
        threading.Thread(target=guard.serve_forever, daemon=True).start()
        self.addCleanup(guard.server_close)
        self.addCleanup(guard.shutdown)
        self.env = {"PATH": f"{FIREBREAK.parent}:{os.environ['PATH']}", "HOME": keep.name,
                    "FIREBREAK_SOCKET": str(self.folder / "guard.sock"), "TERM": "dumb",
                    "FIREBREAK_CONFIG": str(self.folder / "none")}

    def shell(self, name, *arguments):
        if shutil.which(name) is None:
            self.skipTest(f"{name} is not installed")
        done = subprocess.run([name, *arguments], env=self.env, cwd=self.folder, text=True,
                              capture_output=True, timeout=60)
        self.assertEqual((0, ""), (done.returncode, done.stderr), done)
        return done.stdout.split()

    def expect(self, complete):
        """`complete(words)` gives what the shell offers after these words."""
        self.assertEqual(["status", "stop"], complete(["st"]))
        self.assertEqual(["prusa-1", "voron"], complete(["stop", "--printer", ""]))
        self.assertEqual(["prusa-1"], complete(["local", "reset", "pr"]))
        self.assertEqual(["--severity"], complete(["events", "--sev"]))
        self.assertEqual([], complete(["nonsense-"]))

    def test_bash(self):
        self.expect(lambda words: self.shell(
            "bash", "--norc", "-c",
            "source <(firebreak completion bash) && complete -p firebreak > /dev/null && "
            f"COMP_WORDS=(firebreak {' '.join(w or repr('') for w in words)}) "
            f"COMP_CWORD={len(words)} && _firebreak; printf '%s\\n' \"${{COMPREPLY[@]}}\""))

    def test_fish(self):
        self.expect(lambda words: self.shell(
            "fish", "--no-config", "-c",
            f"firebreak completion fish | source; complete -C 'firebreak {' '.join(words)}'"))

    def test_zsh(self):
        # The real completion system loads the script; its last step is looked at.
        self.expect(lambda words: self.shell(
            "zsh", "-f", "-c",
            "autoload -U compinit && compinit -u -D && source <(firebreak completion zsh) && "
            "[[ $_comps[firebreak] == _firebreak ]] && "
            "compadd() { shift; [[ $1 == -- ]] && shift; print -l -- ${(P)1} } && "
            f"words=(firebreak {' '.join(w or repr('') for w in words)}) && "
            f"CURRENT={len(words) + 1} && _firebreak; true"))

    def test_zsh_with_the_tab_key(self):
        if shutil.which("zsh") is None:
            self.skipTest("zsh is not installed")
        out = self.folder / "out"
        ready = self.folder / "ready"
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], self.env)
        try:
            threading.Thread(target=self.drain, args=[terminal], daemon=True).start()
            os.write(terminal, b"autoload -U compinit; compinit -u -D; "
                               b"source <(firebreak completion zsh); : > ready\n")
            self.wait(ready.exists)
            os.write(terminal, b"firebreak vers\t> out\n")
            self.wait(lambda: out.exists() and out.read_text().strip())
            self.assertIn("firebreak", out.read_text())
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    @staticmethod
    def drain(terminal):
        try:
            while os.read(terminal, 4096):
                pass
        except OSError:
            pass  # The shell has ended.

    def wait(self, condition):
        until = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), until, "the shell did not get there")
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
