"""A local web server of one file, as a release page has it."""

import contextlib
import http.server
import re
import threading


class ReleasePage(http.server.BaseHTTPRequestHandler):
    """A server of one file, which breaks off or refuses where it is told to."""

    content = b""
    break_at = None
    status = None
    knows_ranges = True

    def do_GET(self):
        start = int(re.match(r"bytes=(\d+)-", self.headers["Range"])[1])
        self.ranges.append(start)
        start = start if self.knows_ranges else 0
        if self.status or start >= len(self.content):
            self.send_error(self.status or 416)
            return
        body = self.content[start:]
        self.send_response(206 if self.knows_ranges else 200)
        if self.knows_ranges:
            size = len(self.content)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.break_at is None else body[: self.break_at])

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve():
    """Serve it on a free port; yields the handler's class, whose attributes are its settings."""
    handler = type("ReleasePage", (ReleasePage,), {"ranges": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.address = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield handler
    finally:
        server.shutdown()
        server.server_close()
