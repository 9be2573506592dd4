"""A real S3 server on a loopback port, and a proxy before it that fails as it is told to."""

import contextlib
import hashlib
import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import settings

BUCKET, KEY, SECRET = "captures-of-tests", "public", "secret"


def settings_for(endpoint=None, **changes):
    """The `settings.S3` of a server, with changes."""
    usual = {"bucket": BUCKET, "prefix": "captures/", "endpoint": endpoint, "region": None}
    usual |= {"acl": None, "encryption": "AES256", "key": KEY, "secret": SECRET}
    return settings.S3(**usual | changes)


def _free_ports(count):
    """Free ports that leave room for those that SeaweedFS puts 10,000 above them."""
    found = []
    while len(found) < count:
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port = 20000 + trial.getsockname()[1] % 30000
        with contextlib.suppress(OSError), socket.socket() as trial:
            trial.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


class Server:
    """SeaweedFS. Its bucket is made with the first object.

    Attributes:
        endpoint: its address.
    """

    def __init__(self, folder):
        program = Path(sys.executable).with_name("weed")
        if not program.exists():
            pytest.skip("SeaweedFS is not installed: pip install -r requirements-dev.txt")
        self.folder = folder
        self._ports = _free_ports(4)
        self._process = None
        self.endpoint = f"http://127.0.0.1:{self._ports[0]}"
        identity = {
            "name": "stand",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (folder / "data").mkdir()
        s3, master, volume, filer = self._ports
        self._command = [program, "-logtostderr=true", "server", f"-dir={folder}/data"]
        self._command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
        self._command += [f"-master.port={master}", f"-volume.port={volume}", "-filer", "-s3"]
        self._command += [f"-filer.port={filer}", f"-s3.port={s3}", "-s3.port.iceberg=0"]
        self._command += ["-s3.port.lance=0", f"-s3.config={folder}/s3.json"]
        self._command += ["-master.volumeSizeLimitMB=32", "-volume.max=8"]
        self.client = self.client_at(self.endpoint)

    def client_at(self, endpoint):
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def start(self):
        environment = {**os.environ, "WEED_S3_SSE_KEY": "of tests", "HOME": str(self.folder)}
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(self._command, env=environment, stderr=log, stdout=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.client.put_object(Bucket=BUCKET, Key="first")
            except (BotoCoreError, ClientError):
                assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def kill(self):
        """Kill it with -9, and take away the sockets that it leaves."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        for port in self._ports:
            for socket_ in Path("/tmp").glob(f"seaweedfs-*{port}.sock"):
                socket_.unlink()
            for socket_ in Path("/tmp").glob(f"seaweedfs-*{port + 10000}.sock"):
                socket_.unlink()

    def objects(self):
        """Dict of the objects: their keys and contents."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        get = self.client.get_object
        return {key: get(Bucket=BUCKET, Key=key)["Body"].read() for key in keys if key != "first"}

    def clear(self):
        for key in self.objects():
            self.client.delete_object(Bucket=BUCKET, Key=key)


class _Scripted(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("PUT", body)

    def do_GET(self):
        self._answer("GET", b"")

    def do_HEAD(self):
        self._answer("HEAD", b"")

    def _answer(self, method, body):
        self.owner.seen.append((method, self.path, body, dict(self.headers)))
        given = self.owner.answer(method, self.path, body)
        for part in [given] if isinstance(given, bytes) else given:
            self.wfile.write(part)
        self.close_connection = True

    def log_message(self, *_):
        pass


def answer(status, body=b"", **headers):
    """The bytes of an answer; ``_`` in the names of headers stands for ``-``."""
    lines = [f"HTTP/1.1 {status} Of tests", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def error(status, code, message="", **headers):
    """The bytes of an error of S3."""
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return answer(status, text.encode(), Content_Type="application/xml", **headers)


def accepted(_method, _path, body):
    """What S3 answers to a PUT."""
    return answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')


class Scripted:
    """A server that answers as it is told to.

    Attributes:
        answer: function of the method, the path and the body of a request that returns bytes, or
            an iterable of them.
        seen: these of each request, and its headers.
    """

    def __init__(self, answer=accepted):
        self.answer = answer
        self.seen = []
        handler = type("Handler", (_Scripted,), {"owner": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # who hung up is of no interest
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class _Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # None, "500", "hang", "drop" (stored, but the answer is lost), "lie" (a login page)
    fault = None

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.owner.fault  # read first: who sees that it was asked may change it
        self.seen.append(dict(self.headers))
        if fault == "500":
            return self.send_error(500)
        if fault == "lie":
            page = b"<html><p>Welcome! Log in <br> first.</html>"
            self.wfile.write(answer(200, page, Content_Type="text/html", ETag='"of a page"'))
            self.close_connection = True
            return
        if fault == "hang":
            self.owner.released.wait(30)
            self.close_connection = True
            return
        try:
            backend = http.client.HTTPConnection(self.backend, timeout=10)
            backend.request("PUT", self.path, body, dict(self.headers))
            given = backend.getresponse()
            content = given.read()
        except OSError:
            return self.send_error(502)
        if fault == "drop":
            self.close_connection = True
            return
        self.send_response(given.status)
        for name, value in given.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Proxy:
    """A proxy before a `Server`; `fault` says how it fails, `seen` has the headers that came."""

    def __init__(self, server):
        self.fault = None
        self.seen = []
        self.released = threading.Event()
        backend = server.endpoint.removeprefix("http://")
        handler = type("Handler", (_Proxy,), {"backend": backend, "seen": self.seen, "owner": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # who hung up is of no interest
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
