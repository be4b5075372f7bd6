"""Events of libraries and languages without rows of their own: general knowledge has to be enough for the cause."""

# ruff: noqa: E501 - messages read better as they are

from __future__ import annotations

from typing import Any

import pytest

from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.event import Event, parse


def event(kind: str, message: str, *, module: str = "", platform: str = "python", line: str = "", **more: Any) -> Event:
    frame = {"module": "shop.orders", "function": "total", "filename": "shop/orders.py", "lineno": 7, "in_app": True}
    value = {
        "type": kind,
        "module": module,
        "value": message,
        "stacktrace": {"frames": [{**frame, "context_line": line}]},
    }
    return parse({"platform": platform, "exception": {"values": [value]}, **more}, received_at=1.8e9)


@pytest.mark.parametrize(
    ("cause", "found"),
    [
        ("overload", event("ThrottlingException", "An error occurred (ThrottlingException) when calling the PutItem operation (reached max retries: 4): Rate exceeded", module="botocore.errorfactory")),
        ("misconfiguration", event("NoCredentialsError", "Unable to locate credentials", module="botocore.exceptions")),
        ("misconfiguration", event("ClientError", "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied", module="botocore.exceptions")),
        ("misconfiguration", event("NoSuchBucket", "An error occurred (NoSuchBucket) when calling the PutObject operation: The specified bucket does not exist", module="botocore.errorfactory")),
        ("bug", event("TypeError", "Cannot read properties of undefined (reading 'total')", platform="node")),
        ("database", event("Error", "connect ECONNREFUSED 10.0.0.5:5432", platform="node")),
        ("misconfiguration", event("Error", "getaddrinfo ENOTFOUND db.internal.example", platform="node")),
        ("overload", event("Error", "EMFILE: too many open files, open '/srv/app/x.json'", platform="node")),
        ("bug", event("NullPointerException", 'Cannot invoke "com.shop.Order.getTotal()" because "order" is null', module="java.lang", platform="java")),
        ("overload", event("OutOfMemoryError", "Java heap space", module="java.lang", platform="java")),
        ("overload", event("SQLTransientConnectionException", "HikariPool-1 - Connection is not available, request timed out after 30000ms (total=10, active=10, idle=0, waiting=37)", module="java.sql", platform="java")),
        ("database", event("PSQLException", "FATAL: the database system is starting up", module="org.postgresql.util", platform="java")),
        ("misconfiguration", event("NoClassDefFoundError", "com/fasterxml/jackson/databind/ObjectMapper", module="java.lang", platform="java")),
        ("bug", event("runtime.boundsError", "runtime error: index out of range [5] with length 3", platform="go")),
        ("database", event("*net.OpError", "dial tcp 10.0.0.5:6379: connect: connection refused", platform="go")),
        ("bug", event("runtime.Error", "runtime error: invalid memory address or nil pointer dereference", platform="go")),
        ("bug", event("TypeError", "Unsupported operand types: string + int", platform="php")),
        ("database", event("PDOException", "SQLSTATE[HY000] [2002] Connection refused", platform="php")),
        ("database", event("PDOException", "SQLSTATE[40001]: Serialization failure: 1213 Deadlock found when trying to get lock; try restarting transaction", platform="php")),
        ("bug", event("NoMethodError", "undefined method `total' for nil:NilClass", platform="ruby")),
        ("database", event("PG::ConnectionBad", "connection to server at \"10.0.0.5\", port 5432 failed: Connection refused", platform="ruby")),
        ("misconfiguration", event("LoadError", "cannot load such file -- nokogiri", platform="ruby")),
        ("database", event("AMQPConnectionError", "[Errno 111] Connection refused", module="pika.exceptions")),
        ("misconfiguration", event("ProbableAuthenticationError", "ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN'", module="pika.exceptions")),
        ("misconfiguration", event("ChannelClosedByBroker", "(404, \"NOT_FOUND - no queue 'orders' in vhost '/'\")", module="pika.exceptions")),
        ("misconfiguration", event("PermissionDenied", "403 Permission 'pubsub.topics.publish' denied on resource", module="google.api_core.exceptions")),
        ("overload", event("ResourceExhausted", "429 Quota exceeded for quota metric 'Read requests'", module="google.api_core.exceptions")),
        ("misconfiguration", event("ConfigurationError", "Missing required setting: STRIPE_KEY", module="shop.settings")),
        ("misconfiguration", event("UnauthorizedError", "401 Unauthorized: invalid api key provided", module="payments.client")),
    ],
    ids=lambda v: v.exceptions[0].value[:50] if isinstance(v, Event) else v,
)  # fmt: skip
def test_the_cause_is_told_of_what_has_no_row_of_its_own(cause: str, found: Event) -> None:
    diagnosis = diagnose(found)
    assert diagnosis.cause == cause, diagnosis.sentence
