"""Brokers, clouds, document stores and quotas: clients that the other scenarios do not use. Each is skipped without."""

from __future__ import annotations

import importlib
import os
import threading
import time
from pathlib import Path
from typing import Any

from tests.scenarios.scenario import Skip, scenario
from tests.scenarios.servers import rabbitmq, upstream
from tests.scenarios.stage import Stage

from fivehundred.demo.ports import free_port


def needed(name: str) -> Any:
    """Any: these packages are optional, and have no types here."""
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise Skip(f"{name} is not installed") from e


# ---- RabbitMQ ------------------------------------------------------------------------------------


def broker(**more: Any) -> Any:
    pika = needed("pika")
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", rabbitmq(), **more))


@scenario(
    "ov-020 RabbitMQ blocks publishers", "overload", "clears", "[Bb]locked", "bug", "misconfiguration", needs="rabbit"
)
def _(stage: Stage) -> None:
    needed("pika")

    def publish(request: Any) -> Any:
        connection = broker(blocked_connection_timeout=1.5)
        channel = connection.channel()
        channel.queue_declare("orders")
        for _ in range(40):
            channel.basic_publish("", "orders", b"7")
            connection.process_data_events(0.1)
        return {}

    stage.get(publish)


@scenario(
    "x-rabbit-queue RabbitMQ queue missing",
    "misconfiguration",
    "no",
    "orders-nowhere|404",
    "database",
    "bug",
    needs="rabbit",
)
def _(stage: Stage) -> None:
    needed("pika")

    def count(request: Any) -> Any:
        channel = broker().channel()
        return {"n": channel.queue_declare("orders-nowhere", passive=True).method.message_count}

    stage.get(count)


@scenario(
    "x-rabbit-login RabbitMQ refuses the login",
    "misconfiguration",
    "no",
    "ACCESS_REFUSED|403",
    "bug",
    "database",
    needs="rabbit",
)
def _(stage: Stage) -> None:
    pika = needed("pika")

    def publish(request: Any) -> Any:
        return str(broker(credentials=pika.PlainCredentials("shop", "wrong")))

    stage.get(publish)


@scenario(
    "x-rabbit-down RabbitMQ is down",
    "database",
    "clears",
    "AMQPConnectionError|ECONNREFUSED",
    "bug",
    "overload",
    needs="rabbit",
)
def _(stage: Stage) -> None:
    pika = needed("pika")
    port = free_port()

    def publish(request: Any) -> Any:
        return str(pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)))

    stage.get(publish)


# ---- clouds --------------------------------------------------------------------------------------


def storage(stage: Stage, port: int) -> Any:
    session = needed("botocore.session").Session()
    session.set_credentials("AKIAEXAMPLE", "example-secret")
    config = importlib.import_module("botocore.config").Config(
        connect_timeout=1, read_timeout=0.5, retries={"max_attempts": 0}, s3={"addressing_style": "path"}
    )
    return session.create_client("s3", region_name="eu-north-1", endpoint_url=f"http://127.0.0.1:{port}", config=config)


def get_invoice(stage: Stage, client: Any) -> None:
    def invoice(request: Any) -> Any:
        return {"size": client.get_object(Bucket="invoices", Key="7.pdf")["ContentLength"]}

    stage.get(invoice)


@scenario("x-s3-down object storage is down", "overload", "clears", "ECONNREFUSED|connect", "bug", "database")
def _(stage: Stage) -> None:
    get_invoice(stage, storage(stage, free_port()))


@scenario("x-s3-slow object storage does not answer", "overload", "yes", "[Tt]ime", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    def answer(path: str) -> tuple[int, str, bytes]:
        time.sleep(1.5)
        return 200, "text/plain", b""

    with upstream(answer) as port:
        get_invoice(stage, storage(stage, port))


def refusing(status: int, code: str) -> Any:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return lambda path: (status, "application/xml", body)


@scenario(
    "x-s3-key object storage refuses the key", "misconfiguration", "no", "InvalidAccessKeyId|403", "bug", "security"
)
def _(stage: Stage) -> None:
    with upstream(refusing(403, "InvalidAccessKeyId")) as port:
        get_invoice(stage, storage(stage, port))


@scenario("x-s3-busy object storage asks for less", "overload", "yes", "SlowDown|503", "bug", "misconfiguration")
def _(stage: Stage) -> None:
    with upstream(refusing(503, "SlowDown")) as port:
        get_invoice(stage, storage(stage, port))


@scenario("x-s3-bucket bucket missing", "misconfiguration", "no", "NoSuchBucket", "bug", "overload")
def _(stage: Stage) -> None:
    with upstream(refusing(404, "NoSuchBucket")) as port:
        get_invoice(stage, storage(stage, port))


@scenario("mc-019 no cloud credentials", "misconfiguration", "no", "[Cc]redentials", "bug", "security")
def _(stage: Stage) -> None:
    session = needed("botocore.session").Session()
    session.get_component("credential_provider").providers.clear()
    client = session.create_client("s3", region_name="eu-north-1", endpoint_url=f"http://127.0.0.1:{free_port()}")
    get_invoice(stage, client)


# ---- MongoDB -------------------------------------------------------------------------------------


@scenario(
    "x-mongo-down MongoDB is down", "database", "clears", "refused|ECONNREFUSED|ServerSelection", "bug", "overload"
)
def _(stage: Stage) -> None:
    client = needed("pymongo").MongoClient("127.0.0.1", free_port(), serverSelectionTimeoutMS=400, connectTimeoutMS=200)
    stage.exits.callback(client.close)

    def users(request: Any) -> Any:
        return {"n": client.shop.users.count_documents({})}

    stage.get(users)


# ---- a quota of processor time -------------------------------------------------------------------


@scenario(
    "ov-012 CPU throttled by the quota of a control group",
    "overload", "clears", "throttled", "bug", "misconfiguration",
    needs="root", alone=True, ways=("guard-wsgi", "guard-asgi"),
)  # fmt: skip
def _(stage: Stage) -> None:
    group = Path("/sys/fs/cgroup/cpu", f"scenario-{os.getpid()}")
    try:
        group.mkdir()
        stage.exits.callback(group.rmdir)
        (group / "cpu.cfs_quota_us").write_text("10000")
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as e:
        raise Skip(f"no control group may be made here ({e.strerror})") from e
    stage.exits.callback(Path("/sys/fs/cgroup/cpu/cgroup.procs").write_text, str(os.getpid()))
    done = threading.Event()

    def work() -> None:
        until = time.thread_time() + 1.0
        while time.thread_time() < until:
            pass
        done.set()

    def report(request: Any) -> Any:
        threading.Thread(target=work, daemon=True).start()
        if not done.wait(0.7):
            raise TimeoutError("the report was not ready within 0.7 s")
        return {}

    stage.get(report)
