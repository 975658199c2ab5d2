"""Plays systemd for one service: what sd_notify(3) promises, and no more.

NOTIFY_SOCKET, the descriptor store (FDSTORE, FDSTOREREMOVE, FDNAME with SCM_RIGHTS; handed back as
LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID), the watchdog (SIGKILL after WatchdogSec without a ping) and
Restart=always with RestartSec=0. The real systemd is used in test_systemd.py.
"""

import fcntl
import os
import select
import signal
import socket
import threading
import time

# Stored descriptors live up here, so that handing them over as 3, 4, ... never overwrites one.
FIRST_STORED_FD = 200

# LISTEN_PID must be the service's own pid, which only exists after the fork.
SET_LISTEN_PID = 'export LISTEN_PID=$$; exec "$@"'


class NotifyManager:
    def __init__(self, command, run_dir, log_path, env=None, watchdog_s=2.0, store_max=64,
                 restart=True, stop_post=None):
        self.command = [str(part) for part in command]
        self.log_path = str(log_path)
        self.env = {**os.environ, **(env or {})}
        self.watchdog_s = watchdog_s
        self.store_max = store_max
        self.restart = restart
        self.stop_post = stop_post
        self.store = []  # (name, descriptor), in the order of storing
        self.starts = []  # monotonic seconds
        self.exits = []  # (monotonic seconds, wait status, result as in $SERVICE_RESULT)
        self.status_text = ""
        self.pid = None
        self._ready = threading.Event()
        self._changed = threading.Condition()
        self._keep_down = False
        self._closing = False
        self._watchdog_fired = False
        self._last_ping = 0.0
        self._socket_path = os.path.join(str(run_dir), "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(self._socket_path)
        self._socket.setblocking(False)
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = None

    # ---- what a test calls --------------------------------------------------------------------

    def start(self):
        with self._changed:
            self._keep_down = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="notify-manager", daemon=True)
            self._thread.start()
        else:
            self._wake()
        return self

    def wait_ready(self, timeout_s=20.0):
        if not self._ready.wait(timeout_s):
            raise AssertionError(f"{self.command[0]} did not say READY in {timeout_s:g} s\n"
                                 f"{self.log()[-4000:]}")

    @property
    def running(self):
        return self.pid is not None

    @property
    def ready(self):
        return self._ready.is_set()

    def kill(self, number=signal.SIGKILL):
        """Kills the service; it comes back by Restart=always. Returns when it was sent."""
        with self._changed:
            self._ready.clear()
            self._send(number)

    def kill_and_keep_down(self, number=signal.SIGKILL):
        """Kills it, and does not restart it before start(). The store is kept."""
        with self._changed:
            self._keep_down = True
            self._send(number)
        self.wait_exit()

    def restart_after(self, delay_s):
        """Killed now, back after `delay_s` (as a slow start would be)."""
        self.kill_and_keep_down()
        time.sleep(delay_s)
        self.start()

    def stop(self, timeout_s=5.0):
        """Orderly: SIGTERM, and SIGKILL after TimeoutStopSec. Keeps it down."""
        with self._changed:
            self._keep_down = True
            self._send(signal.SIGTERM)
        try:
            self.wait_exit(timeout_s)
        except AssertionError:
            self.kill_and_keep_down()

    def wait_exit(self, timeout_s=10.0):
        with self._changed:
            if not self._changed.wait_for(lambda: self.pid is None, timeout_s):
                raise AssertionError(f"{self.command[0]} did not exit in {timeout_s:g} s")

    def wait_starts(self, count, timeout_s=10.0):
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.starts) >= count, timeout_s):
                raise AssertionError(f"{self.command[0]} was started {len(self.starts)} times")

    def forget_store(self):
        """What a reboot does to the descriptor store."""
        with self._changed:
            self._drop_store()

    def close(self):
        """Ends everything. Safe to call twice."""
        if self._closing:
            return
        with self._changed:
            self._closing = True
            self._keep_down = True
            self._send(signal.SIGKILL)
        self._wake()
        if self._thread:
            self._thread.join(10)
        self._drop_store()
        self._socket.close()
        for fd in (self._wake_r, self._wake_w):
            os.close(fd)
        try:
            os.unlink(self._socket_path)
        except FileNotFoundError:
            pass

    def log(self):
        try:
            with open(self.log_path, "r", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # ---- the manager's thread -----------------------------------------------------------------

    def _run(self):
        pidfd = None
        while True:
            if self.pid is None:
                if self._closing:
                    return
                if not self._keep_down:
                    pidfd = self._spawn()
            self._poll(pidfd)
            if pidfd is not None and self._reap(pidfd):
                os.close(pidfd)
                pidfd = None

    def _poll(self, pidfd):
        poller = select.poll()
        poller.register(self._wake_r, select.POLLIN)
        poller.register(self._socket.fileno(), select.POLLIN)
        if pidfd is not None:
            poller.register(pidfd, select.POLLIN)
        poller.poll(self._poll_ms())
        try:
            os.read(self._wake_r, 4096)
        except BlockingIOError:
            pass
        self._read_notifications()
        # As systemd does: the watchdog runs from READY on.
        if (self.pid is not None and self.watchdog_s and self.ready
                and time.monotonic() - self._last_ping > self.watchdog_s):
            with self._changed:
                self._watchdog_fired = True
                self._send(signal.SIGKILL)
                self._last_ping = time.monotonic()

    def _poll_ms(self):
        if self.pid is None or not self.watchdog_s or not self.ready:
            return 1000
        left = self._last_ping + self.watchdog_s - time.monotonic()
        return max(1, int(left * 1000) + 1)

    def _spawn(self):
        with self._changed:
            names = [name for name, _ in self.store]
            env = {key: value for key, value in self.env.items()
                   if not key.startswith("LISTEN_")}
            env["NOTIFY_SOCKET"] = self._socket_path
            if self.watchdog_s:
                env["WATCHDOG_USEC"] = str(int(self.watchdog_s * 1e6))
            command = ["setpriv", "--pdeathsig", "KILL"]
            actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                       (os.POSIX_SPAWN_OPEN, 1, self.log_path,
                        os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                       (os.POSIX_SPAWN_DUP2, 1, 2)]
            if self.store:
                env["LISTEN_FDS"] = str(len(self.store))
                env["LISTEN_FDNAMES"] = ":".join(names)
                command += ["sh", "-c", SET_LISTEN_PID, "sh"]
                actions += [(os.POSIX_SPAWN_DUP2, fd, 3 + index)
                            for index, (_, fd) in enumerate(self.store)]
            command += self.command
            self._watchdog_fired = False
            self._last_ping = time.monotonic()
            self.pid = os.posix_spawnp(command[0], command, env, file_actions=actions,
                                       setpgroup=0)
            self.starts.append(time.monotonic())
            self._changed.notify_all()
            return os.pidfd_open(self.pid)

    def _reap(self, pidfd):
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if not poller.poll(0):
            return False
        self._read_notifications()
        with self._changed:
            _, status = os.waitpid(self.pid, 0)
            result = "success"
            if self._watchdog_fired:
                result = "watchdog"
            elif os.WIFSIGNALED(status):
                result = "signal"
            elif os.WEXITSTATUS(status) != 0:
                result = "exit-code"
            self.exits.append((time.monotonic(), status, result))
            self.pid = None
            self._ready.clear()
            if not self.restart:
                self._keep_down = True
            self._changed.notify_all()
        if self.stop_post:
            self.stop_post(result)
        return True

    def _read_notifications(self):
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._socket, 8192, 64)
            except BlockingIOError:
                return
            self._take(data.decode("utf-8", "replace").splitlines(), fds)

    def _take(self, lines, fds):
        fields = dict(line.split("=", 1) for line in lines if "=" in line)
        with self._changed:
            if fields.get("WATCHDOG") == "1":
                self._last_ping = time.monotonic()
            if "STATUS" in fields:
                self.status_text = fields["STATUS"]
            if fields.get("FDSTORE") == "1":
                for fd in fds:
                    self._keep(fields.get("FDNAME", "stored"), fd)
                fds = []
            if fields.get("FDSTOREREMOVE") == "1":
                gone = [item for item in self.store if item[0] == fields.get("FDNAME")]
                for item in gone:
                    os.close(item[1])
                    self.store.remove(item)
            if fields.get("READY") == "1":
                self._last_ping = time.monotonic()
                self._ready.set()
            for fd in fds:  # such as BARRIER=1: closing it is the answer
                os.close(fd)
            self._changed.notify_all()

    def _keep(self, name, fd):
        same = os.fstat(fd)
        for _, kept in self.store:
            other = os.fstat(kept)
            if (same.st_dev, same.st_ino) == (other.st_dev, other.st_ino) \
                    and os.readlink(f"/proc/self/fd/{fd}") == os.readlink(f"/proc/self/fd/{kept}"):
                os.close(fd)  # systemd, too, keeps one of the same
                return
        if len(self.store) >= self.store_max:
            os.close(fd)
            return
        self.store.append((name, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_STORED_FD)))
        os.close(fd)

    # ---- small things -------------------------------------------------------------------------

    def _send(self, number):
        if self.pid is not None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def _drop_store(self):
        for _, fd in self.store:
            os.close(fd)
        self.store.clear()

    def _wake(self):
        os.write(self._wake_w, b"x")
