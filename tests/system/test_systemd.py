"""The guard's real unit file under the real systemd, in a container (systemd-nspawn). Needs root,
mmdebstrap and systemd-container; part of ./dev test --full."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

from farm import BUILD, ROOT

FULL = bool(os.environ.get("FIREBREAK_FULL"))
CACHE = ROOT / "build" / "systemd"
HERE = pathlib.Path(__file__).resolve().parent
DRIVER_UNIT = """[Unit]
Description=drives the guard
After=basic.target
[Service]
ExecStart=/opt/firebreak/tests/driver.py
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
"""
GUARD_YAML = """agent: box
run_dir: /run/firebreak
state_dir: /var/lib/firebreak
board: board.yaml
printers:
  - { name: p1, profile: generic-marlin, port: /run/firebreak-sim/p1.tty, baud: 115200, relay: r-p1, pty: p1 }
"""


def why_not():
    if not FULL:
        return "only in ./dev test --full"
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in ("mmdebstrap", "systemd-nspawn") if not shutil.which(tool)]
    return f"{', '.join(missing)} missing" if missing else None


@unittest.skipIf(why_not(), why_not())
class RealSystemdTest(unittest.TestCase):
    LABELS = "system,not-sanitized,alone"
    SECONDS = 600

    def test_the_unit_file_keeps_its_promises(self):
        root = self.make_root()
        done = subprocess.run(["systemd-nspawn", "--register=no", "--keep-unit", "-D", root, "-b"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=400)
        results = re.findall(r"RESULT (\S+) (ok|FAIL) ?(.*)", done.stdout)
        self.assertIn("finished", [name for name, _, _ in results], done.stdout[-6000:])
        for name, verdict, text in results:
            with self.subTest(name):
                self.assertEqual("ok", verdict, f"{text}\n{done.stdout[-3000:]}")

    def make_root(self):
        """A small Debian with systemd, kept as a tar; ours are put on top of it."""
        CACHE.mkdir(parents=True, exist_ok=True)
        tar, root = CACHE / "root.tar", CACHE / "root"
        if not tar.exists():
            subprocess.run(["mmdebstrap", "--variant=minbase", "--include=systemd,dbus,python3",
                            "bookworm", CACHE / "new.tar"], check=True, capture_output=True)
            os.rename(CACHE / "new.tar", tar)
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        subprocess.run(["tar", "-C", root, "-xf", tar, "--exclude=./dev/*"], check=True)
        for name in ("firebreak-guard", "firebreak-sim"):
            self.install_program(BUILD / "bin" / name, root)
        self.put(root / "etc/firebreak/guard.yaml", GUARD_YAML)
        unit = (ROOT / "toolchains/systemd/firebreak-guard.service").read_text()
        self.put(root / "etc/systemd/system/firebreak-guard.service", unit)
        self.put(root / "etc/systemd/system/driver.service", DRIVER_UNIT)
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "driver.service").symlink_to("../driver.service")
        tests = root / "opt/firebreak/tests"
        tests.mkdir(parents=True)
        for name in ("clients.py", "process.py", "simulator.py", "systemd/driver.py"):
            shutil.copy(HERE / name, tests)
        for command in (["groupadd", "-r", "firebreak"],
                        ["useradd", "-r", "-g", "firebreak", "firebreak-guard"]):
            subprocess.run(["chroot", root, *command], check=True)
        return root

    def install_program(self, program, root):
        """The program and the libraries that it links, where it looks for them."""
        shutil.copy(program, root / "usr/bin")
        linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        for library in re.findall(r"=> (/\S+)", linked):
            target = root / library.lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)

    def put(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    unittest.main()
