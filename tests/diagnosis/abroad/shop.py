"""Failures of clients that are not installed for the tests, raised for real; printed as the sentry-sdk sends them."""

# ruff: noqa
# mypy: ignore-errors
import json, os, sys, asyncio, socket
from sentry_sdk.utils import event_from_exception

up, closed = f"http://127.0.0.1:{os.environ['UP']}", int(os.environ["CLOSED"])


def event(error):
    found, _ = event_from_exception(
        sys.exc_info(),
        client_options={"include_local_variables": True, "include_source_context": True, "max_value_length": 1024},
    )
    for value in found["exception"]["values"]:
        for frame in (value.get("stacktrace") or {}).get("frames", ()):
            frame["in_app"] = frame.get("module") == "__main__"
            frame.pop("vars", None)
    return {"platform": "python", "sdk": {"name": "sentry.python"}, **found}


cases = []


def failing(name, cause, transient):
    return lambda body: cases.append((name, cause, transient, body))


@failing("peewee twice", "bug", "no")
def _():
    import peewee

    db = peewee.SqliteDatabase(":memory:")

    class User(peewee.Model):
        email = peewee.CharField(unique=True)

        class Meta:
            database = db

    db.create_tables([User])
    User.create(email="a")
    User.create(email="a")


@failing("peewee no table", "database", "no")
def _():
    import peewee

    db = peewee.SqliteDatabase(":memory:")

    class Order(peewee.Model):
        class Meta:
            database = db

    list(Order.select())


@failing("pony not found", "bug", "no")
def _():
    from pony.orm import Database, Required, db_session, PrimaryKey

    db = Database("sqlite", ":memory:")

    class Order(db.Entity):
        id = PrimaryKey(int)

    db.generate_mapping(create_tables=True)
    with db_session:
        Order[7]


@failing("tortoise not initialised", "misconfiguration", "no")
def _():
    from tortoise import fields
    from tortoise.models import Model

    class Order(Model):
        id = fields.IntField(pk=True)

    asyncio.run(Order.all().first())


@failing("paramiko refused", "overload", "clears")
def _():
    import paramiko

    paramiko.SSHClient().connect("127.0.0.1", port=closed)


@failing("asyncssh refused", "overload", "clears")
def _():
    import asyncssh

    async def go():
        await asyncssh.connect("127.0.0.1", closed)

    asyncio.run(go())


@failing("ldap3 refused", "overload", "clears")
def _():
    import ldap3

    ldap3.Connection(ldap3.Server(f"ldap://127.0.0.1:{closed}"), auto_bind=True)


@failing("minio refused", "overload", "clears")
def _():
    import minio, urllib3

    minio.Minio(
        f"127.0.0.1:{closed}", "a", "b", secure=False, http_client=urllib3.PoolManager(retries=0)
    ).list_buckets()


@failing("marshmallow", "bug", "no")
def _():
    from marshmallow import Schema, fields

    Schema.from_dict({"total": fields.Integer()})().load({"total": "abc"})


@failing("lxml", "bug", "no")
def _():
    from lxml import etree

    etree.fromstring("<a><b></a>")


@failing("pillow", "bug", "no")
def _():
    import io
    from PIL import Image

    Image.open(io.BytesIO(b"no image"))


@failing("zeep 503", "overload", "yes")
def _():
    import zeep

    zeep.Client(f"{up}/503")


@failing("aiomysql refused", "database", "clears")
def _():
    import aiomysql

    async def go():
        await aiomysql.connect(host="127.0.0.1", port=closed)

    asyncio.run(go())


@failing("pymongo nobody", "database", "clears")
def _():
    import pymongo

    pymongo.MongoClient("127.0.0.1", closed, serverSelectionTimeoutMS=300).shop.orders.find_one()


@failing("aiokafka nobody", "database", "clears")
def _():
    from aiokafka import AIOKafkaProducer

    async def go():
        p = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{closed}", request_timeout_ms=400)
        try:
            await p.start()
        finally:
            await p.stop()

    asyncio.run(go())


@failing("elasticsearch nobody", "database", "clears")
def _():
    from elasticsearch import Elasticsearch

    Elasticsearch(f"http://127.0.0.1:{closed}", max_retries=0).info()


@failing("grpc nobody", "overload", "clears")
def _():
    import grpc

    grpc.insecure_channel(f"127.0.0.1:{closed}").unary_unary("/shop.Prices/Get")(b"", timeout=1)


@failing("boto3 nobody", "overload", "clears")
def _():
    import boto3, botocore.config

    boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{closed}",
        region_name="eu-west-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=botocore.config.Config(retries={"max_attempts": 0}),
    ).list_buckets()


@failing("boto3 no region", "misconfiguration", "no")
def _():
    import boto3

    boto3.client("sqs")


@failing("boto3 parameter", "bug", "no")
def _():
    import boto3

    boto3.client("s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b").get_object(
        Bucket="invoices", Key=None
    )


@failing("pika nobody", "database", "clears")
def _():
    import pika

    pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", closed))


@failing("pandas key", "bug", "no")
def _():
    import pandas

    pandas.DataFrame({"a": [1]})["total"]


@failing("pandas csv", "bug", "no")
def _():
    import io, pandas

    pandas.read_csv(io.StringIO("a,b\n1,2,3,4\n5\n1,2,3,4,5,6"))


@failing("numpy memory", "overload", "clears")
def _():
    import numpy

    numpy.ones(10**14)


@failing("stripe nobody", "overload", "clears")
def _():
    import stripe

    stripe.api_key, stripe.api_base, stripe.max_network_retries = "sk", f"http://127.0.0.1:{closed}", 0
    stripe.Charge.list()


@failing("openai nobody", "overload", "clears")
def _():
    import openai

    openai.OpenAI(api_key="x", base_url=f"http://127.0.0.1:{closed}", max_retries=0).models.list()


@failing("openai 429", "overload", "yes")
def _():
    import openai

    openai.OpenAI(api_key="x", base_url=f"{up}/429", max_retries=0).models.list()


@failing("openai no key", "misconfiguration", "no")
def _():
    import openai

    openai.OpenAI()


@failing("environs", "misconfiguration", "no")
def _():
    from environs import Env

    Env().str("PAYMENTS_URL")


@failing("environs malformed", "misconfiguration", "no")
def _():
    from environs import Env

    os.environ["WORKERS"] = "four"
    Env().int("WORKERS")


@failing("dynaconf", "misconfiguration", "no")
def _():
    from dynaconf import Dynaconf, Validator

    Dynaconf(validators=[Validator("PAYMENTS_URL", must_exist=True)]).validators.validate()


@failing("alembic", "misconfiguration", "no")
def _():
    from alembic import command
    from alembic.config import Config

    command.current(Config("/srv/shop/alembic.ini"))


@failing("memcache nobody", "database", "clears")
def _():
    from pymemcache.client.base import Client

    Client(("127.0.0.1", closed)).get("a")


@failing("clickhouse nobody", "database", "clears")
def _():
    from clickhouse_driver import Client

    Client("127.0.0.1", port=closed).execute("SELECT 1")


@failing("mako name", "bug", "no")
def _():
    from mako.template import Template

    Template("${total + 1}", strict_undefined=True).render()


@failing("mako lookup", "misconfiguration", "no")
def _():
    from mako.lookup import TemplateLookup

    TemplateLookup(["/srv/shop/templates"]).get_template("receipt.html")


@failing("influx 401", "misconfiguration", "no")
def _():
    from influxdb_client import InfluxDBClient

    InfluxDBClient(url=f"{up}/401", token="x", org="o").write_api(
        write_options=__import__("influxdb_client.client.write_api", fromlist=["SYNCHRONOUS"]).SYNCHRONOUS
    ).write("b", record="m v=1")


@failing("docker socket", "misconfiguration", "no")
def _():
    import docker

    docker.DockerClient("unix:///srv/shop/docker.sock").ping()


@failing("vault 503", "overload", "yes")
def _():
    import hvac

    hvac.Client(url=f"{up}/503").secrets.kv.v2.read_secret_version(path="shop")


@failing("openpyxl", "bug", "no")
def _():
    import io, openpyxl

    openpyxl.load_workbook(io.BytesIO(b"no workbook"))


@failing("pypdf", "bug", "no")
def _():
    import io, pypdf

    pypdf.PdfReader(io.BytesIO(b"no pdf"))


@failing("ipv6 nobody", "overload", "clears")
def _():
    socket.create_connection(("::1", closed), timeout=1)


@failing("unix socket", "misconfiguration", "no")
def _():
    socket.socket(socket.AF_UNIX).connect("/srv/shop/app.sock")


for name, cause, transient, body in cases:
    found = None
    try:
        body()
    except BaseException as error:
        found = event(error)
    sys.stdout.write(
        json.dumps({"name": f"python: {name}", "cause": cause, "transient": transient, "event": found}, default=str)
        + "\n"
    )
    sys.stdout.flush()
