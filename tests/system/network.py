"""A cable that can be pulled: forwards TCP until it is cut."""

import selectors
import socket
import threading


class Cable:
    """Listens on loopback and forwards to (host, port). cut() ends every connection and refuses new
    ones, as a pulled cable with a switch's reset would; mend() lets them through again."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.connections = 0
        self._mended = True
        self._pairs = set()
        self._lock = threading.Lock()
        self._closing = False
        threading.Thread(target=self._accept, name="cable", daemon=True).start()

    def cut(self):
        with self._lock:
            self._mended = False
            for pair in list(self._pairs):
                for end in pair:
                    _shutdown(end)

    def mend(self):
        with self._lock:
            self._mended = True

    def close(self):
        self._closing = True
        self.cut()
        _shutdown(self.server)
        self.server.close()

    def _accept(self):
        while not self._closing:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            with self._lock:
                far = self._connect() if self._mended else None
                if far is None:
                    near.close()
                    continue
                self.connections += 1
                pair = (near, far)
                self._pairs.add(pair)
            threading.Thread(target=self._forward, args=(pair,), daemon=True).start()

    def _connect(self):
        try:
            return socket.create_connection(self.target, timeout=5)
        except OSError:
            return None

    def _forward(self, pair):
        near, far = pair
        far.settimeout(None)
        selector = selectors.DefaultSelector()
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        try:
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    key.data.sendall(data)
        except OSError:
            return
        finally:
            selector.close()
            with self._lock:
                self._pairs.discard(pair)
            for end in pair:
                _shutdown(end)
                end.close()


def _shutdown(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
