"""Whose code a frame is: the application's, a library's, or either. Knows packages and paths; decides no group.

``in_app`` is a hint at most: an application that was installed as a wheel has no in-app frame at all, and SDKs mark
frames by rules of their own. So what is known by name is a library, what lies where no library lies belongs to the
application, and the rest is "either": it counts as the application where nothing better is in the stack.
"""

# ruff: noqa: SIM905, E501 - tables of words and texts read better as they are

from __future__ import annotations

import re
import sys
from typing import Final, Literal, TypeAlias

Owner: TypeAlias = Literal["application", "library", "either"]


def owner(module: str, path: str, in_app: bool | None) -> Owner:
    """``path`` is the absolute one where there is one, else the file name."""
    path = path.replace("\\", "/")
    top = top_level(module) or _package(path)
    if top in packages or _FOREIGN.match(module) or _NEVER.search(path):
        return "library"
    if top in sys.stdlib_module_names and top != "__main__":
        mine = in_app is True and not _PYTHON.search(path)
        return "application" if mine else "library"
    if _INSTALLED.search(path) or in_app is False:
        return "either"
    return "application"


def _package(path: str) -> str:
    """The top-level package by the path alone, for senders that name no module; empty when it does not tell."""
    installed = _INSTALLED.search(path)
    relative = path[installed.end() :] if installed else path
    head, slash, _ = relative.partition("/")
    return head if slash else ""


def known(module: str) -> bool:
    """Is this module of an exception's class a library's or the interpreter's?"""
    top = top_level(module)
    return not top or top in packages or top in sys.stdlib_module_names or _FOREIGN.match(module) is not None


def top_level(module: str) -> str:
    return module.partition(".")[0]


# Generated, bundled or built in: nobody's application is there.
_NEVER: Final = re.compile(
    r"(?:^|/)(?:node_modules|jspm_packages|bower_components|gems|pkg/mod|go/src/(?:runtime|net|database|internal))/"
    r"|^(?:node:|internal/|native|<anonymous>|<frozen |<attrs generated|<decorator-gen|<__array_function__|vendor/|deps/)"
    r"|/vendor/(?!assets)|/usr/(?:local/)?lib/ruby/|/bin/[^/.]+$|/go\d[\d.]*/src/|/rustc/|/\.cargo/registry/"
)
_INSTALLED: Final = re.compile(r"/(?:site|dist)-packages/|\.(?:egg|whl|pex|jar|zip)/")
_PYTHON: Final = re.compile(r"/(?:lib/)?(?:python|pypy|lib-python|lib_pypy)[\d.]*/|\.framework/")
# Java, .NET, Go and JavaScript name their own and their libraries' code by these beginnings.
_FOREIGN: Final = re.compile(
    r"(?:javax?|jakarta|sun|jdk|kotlinx?|scala|akka|reactor|groovy|clojure|feign|okhttp3|okio|retrofit2|io\.netty"
    r"|com\.sun|com\.zaxxer|com\.mysql|com\.fasterxml|com\.google\.(?:common|gson|inject|api)|com\.mongodb|com\.rabbitmq"
    r"|org\.(?:springframework|apache|hibernate|postgresql|eclipse|jboss|junit|slf4j|thymeleaf|mariadb|aspectj|jooq"
    r"|quartz|mybatis|elasticsearch|glassfish|xnio)|io\.(?:undertow|micronaut|quarkus|lettuce|vertx|grpc|ktor"
    r"|opentelemetry|sentry|r2dbc)|redis\.clients|ch\.qos|net\.bytebuddy|net\.sf\.cglib|oracle\.jdbc"
    r"|System|Microsoft|Npgsql|Newtonsoft|StackExchange|MySqlConnector|Dapper"
    r"|runtime|net/http|net|database/sql|encoding/\w+|reflect|sync|syscall|testing|internal/\w+|bufio|strconv|fmt"
    r"|github\.com/(?:gin-gonic|labstack|gorilla|go-chi|lib/pq|jackc|redis|go-redis|getsentry|gofiber|go-sql-driver)"
    r"|gorm\.io|google\.golang\.org|golang\.org|go\.uber\.org|node|internal|express|koa|fastify|next|@[\w-]+)"
    r"(?:[./:$]|$)"
)

# Top-level Python packages that are libraries wherever they lie. Generic words that people call their own packages by
# ("core", "client", "api" ...) are left out on purpose.
packages: Final = frozenset(
    """
    aio_pika aioboto3 aiobotocore aiofiles aiohttp aiohttp_jinja2 aiokafka aiomysql aioredis aiosmtplib aiosqlite
    airflow alembic amqp amqpstorm anthropic anyio apispec apscheduler argon2 ariadne arq arrow asgiref asyncmy asyncpg
    asynctest attr attrs azure babel backoff bcrypt beanie billiard black blacksheep bleach blinker bokeh boto boto3
    botocore bottle brotli bs4 cachetools cachelib cassandra celery certifi cffi chardet charset_normalizer cherrypy
    click click_didyoumean click_plugins clickhouse_connect clickhouse_driver connexion cryptography cx_Oracle
    cython daphne dash dask dataclasses_json dateutil ddtrace deepdiff defusedxml dependency_injector diskcache django
    django_filters django_redis djongo dns docker dotenv dramatiq drf_spectacular drf_yasg elastic_transport
    elasticsearch elasticsearch_dsl elasticapm environ environs eventlet factory faker falcon fastapi
    fastapi_utils fastavro filelock fivehundred flasgger flask flask_admin flask_caching flask_cors flask_jwt_extended
    flask_login flask_migrate flask_restful flask_restx flask_smorest flask_socketio flask_sqlalchemy flask_wtf fsspec
    gevent gino geopandas google_auth_httplib2 googleapiclient granian graphene graphene_django graphql greenlet grpc
    grpc_status gunicorn h11 h2 httpcore httplib2 httptools httpx httpx_sse huey hvac hypercorn hypothesis idna
    importlib_metadata injector instructor isodate itsdangerous jinja2 jmespath joblib jose jsonschema jwt kafka
    kazoo keras kombu langchain langchain_core lark ldap ldap3 limits litestar loguru lxml lz4 mako markdown markupsafe
    marshmallow marshmallow_sqlalchemy matplotlib mistune molten mongoengine motor msgpack multidict multipart mypy
    mysql MySQLdb nacl nats neo4j newrelic ninja numba numexpr numpy oauthlib odmantic ofxparse openai openpyxl
    opensearchpy opentelemetry oracledb orjson packaging pandas paramiko passlib pathos peewee pendulum pg8000 pika PIL
    pint pip pkg_resources playwright pluggy polars pony prometheus_client prompt_toolkit propcache proto psutil
    psycopg psycopg2 psycopg_pool psycopg_binary py4j pyarrow pyasn1 pycparser pydantic pydantic_core
    pydantic_settings pygments pymemcache pylibmc pymongo pymssql pymysql pynamodb pyodbc pypdf pyramid pyramid_tm
    pyspark pytest python_multipart pytz quart questionary rapidfuzz raven ray redis rediscluster regex reportlab
    requests requests_oauthlib requests_toolbelt responses respx rest_framework rest_framework_simplejwt retrying rich
    rollbar rq rsa ruamel s3fs s3transfer sanic sanic_routing schema scipy scrapy seaborn selenium sendgrid sentry_sdk
    setuptools shapely simplejson six sklearn slowapi slugify sniffio snowflake social_core social_django socketio
    engineio spyne sqlalchemy sqlalchemy_utils sqlglot sqlmodel sqlparse starlette statsmodels storages
    strawberry stripe structlog sympy tabulate tenacity tensorflow tblib thrift tiktoken timm tinydb tomlkit
    toolz torch torchvision tornado tortoise tqdm transaction transformers trio trio_websocket twilio twisted typer
    typing_extensions tzlocal ujson umongo unidecode urllib3 uvicorn uvloop uwsgi valkey vine voluptuous waitress
    watchdog watchfiles webargs webob websocket websockets werkzeug whitenoise wrapt wtforms xlrd xlsxwriter xmltodict
    yaml yarl zeep zipp zmq zope zstandard
    """.split()
)
