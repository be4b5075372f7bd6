"""Events of libraries and languages that no scenario provokes: as their SDKs send them, written before the rules were
asked. Each is (what it is, cause, transience, exception types innermost first ...). ``python -m`` it for the figures."""

# ruff: noqa: E501 - messages read better as they are

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from fivehundred.diagnosis.diagnose import diagnose
from fivehundred.diagnosis.model import Cause, Transient
from fivehundred.event import Event, parse


class Elsewhere(NamedTuple):
    name: str
    cause: Cause
    transient: Transient
    event: Event


def _frame(platform: str, line: str, **variables: str) -> dict[str, Any]:
    module, filename = {
        "java": ("com.shop.OrderService", "OrderService.java"),
        "go": ("shop/orders", "orders/total.go"),
        "php": ("App\\Http\\Controllers\\OrderController", "app/Http/Controllers/OrderController.php"),
        "ruby": ("OrdersController", "app/controllers/orders_controller.rb"),
        "csharp": ("Shop.Orders.OrderService", "OrderService.cs"),
    }.get(platform, ("shop.orders", "shop/orders.py"))
    return {
        "module": module,
        "function": "total",
        "filename": filename,
        "lineno": 41,
        "in_app": True,
        "context_line": line,
        "vars": variables,
    }


def raised(*chain: tuple[str, str, str], line: str = "", platform: str = "python", **variables: str) -> Event:
    """Each of the chain is (module, type, message), the innermost first as on the wire."""
    values = [
        {
            "module": module or None,
            "type": kind,
            "value": message,
            "stacktrace": {"frames": [_frame(platform, line, **variables)]},
        }
        for module, kind, message in chain
    ]
    return parse({"platform": platform, "exception": {"values": values}}, received_at=1.8e9)


refused = (
    "urllib3.exceptions",
    "NewConnectionError",
    "<urllib3.connection.HTTPConnection object at 0x7f9c8c0b5d90>: Failed to establish a new connection: [Errno 111] Connection refused",
)

first: list[Elsewhere] = [
    Elsewhere("elasticsearch refuses", "database", "clears", raised(refused, ("elastic_transport", "ConnectionError", "Connection error caused by: ConnectionError(Connection error caused by: NewConnectionError(<urllib3.connection.HTTPConnection object at 0x7f9c8c0b5d90>: Failed to establish a new connection: [Errno 111] Connection refused))"), line='hits = es.search(index="orders", query=q)')),
    Elsewhere("elasticsearch index missing", "database", "no", raised(("elasticsearch", "NotFoundError", "NotFoundError(404, 'index_not_found_exception', 'no such index [orders]', orders, index_or_alias)"), line='hits = es.search(index="orders", query=q)')),
    Elsewhere("elasticsearch disk watermark", "database", "clears", raised(("elasticsearch", "AuthorizationException", "AuthorizationException(403, 'cluster_block_exception', 'index [orders] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];')"), line='es.index(index="orders", document=order)')),
    Elsewhere("elasticsearch breaker", "overload", "yes", raised(("elasticsearch", "ApiError", "ApiError(429, 'circuit_breaking_exception', '[parent] Data too large, data for [<http_request>] would be [1037460442/989.3mb], which is larger than the limit of [1020054732/972.7mb]')"), line='hits = es.search(index="orders", query=q)')),
    Elsewhere("kafka metadata", "database", "clears", raised(("kafka.errors", "KafkaTimeoutError", "KafkaTimeoutError: Failed to update metadata after 60.0 secs."), line='producer.send("orders", value=body)')),
    Elsewhere("kafka no brokers", "database", "clears", raised(("kafka.errors", "NoBrokersAvailable", "NoBrokersAvailable"), line="producer = KafkaProducer(bootstrap_servers=servers)")),
    Elsewhere("kafka message too large", "bug", "no", raised(("kafka.errors", "MessageSizeTooLargeError", "[Error 10] MessageSizeTooLargeError: The message is 1048663 bytes when serialized which is larger than the maximum request size you have configured with the max_request_size configuration"), line='producer.send("orders", value=body)')),
    Elsewhere("confluent kafka unknown topic", "misconfiguration", "no", raised(("cimpl", "KafkaException", 'KafkaError{code=UNKNOWN_TOPIC_OR_PART,val=3,str="Subscribed topic not available: orders: Broker: Unknown topic or partition"}'), line="consumer.poll(1.0)")),
    Elsewhere("rabbit blocked", "overload", "clears", raised(("pika.exceptions", "ConnectionBlockedTimeout", "Blocked connection timeout expired."), line="channel.basic_publish(exchange, key, body)")),
    Elsewhere("rabbit heartbeat lost", "database", "yes", raised(("pika.exceptions", "StreamLostError", "Stream connection lost: ConnectionResetError(104, 'Connection reset by peer')"), line="channel.basic_publish(exchange, key, body)")),
    Elsewhere("aio-pika precondition", "misconfiguration", "no", raised(("aiormq.exceptions", "ChannelPreconditionFailed", "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'orders' in vhost '/': received 'false' but current is 'true'"), line='queue = await channel.declare_queue("orders")')),
    Elsewhere("grpc unavailable", "overload", "clears", raised(("grpc._channel", "_InactiveRpcError", '<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.UNAVAILABLE\n\tdetails = "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.7:50051: Failed to connect to remote host: Connection refused"\n\tdebug_error_string = "UNKNOWN:Error received from peer  {grpc_status:14}"\n>'), line="reply = stub.Price(request, timeout=2)")),
    Elsewhere("grpc deadline", "overload", "yes", raised(("grpc.aio._call", "AioRpcError", '<AioRpcError of RPC that terminated with:\n\tstatus = StatusCode.DEADLINE_EXCEEDED\n\tdetails = "Deadline Exceeded"\n>'), line="reply = await stub.Price(request, timeout=2)")),
    Elsewhere("grpc unimplemented", "bug", "no", raised(("grpc._channel", "_InactiveRpcError", '<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.UNIMPLEMENTED\n\tdetails = "Method not found!"\n>'), line="reply = stub.PriceV2(request)")),
    Elsewhere("boto endpoint refuses", "overload", "clears", raised(refused, ("botocore.exceptions", "EndpointConnectionError", 'Could not connect to the endpoint URL: "http://127.0.0.1:9000/invoices/7.pdf"'), line='s3.get_object(Bucket="invoices", Key=key)')),
    Elsewhere("boto expired token", "misconfiguration", "no", raised(("botocore.exceptions", "ClientError", "An error occurred (ExpiredTokenException) when calling the AssumeRole operation: The security token included in the request is expired"), line="sts.assume_role(RoleArn=arn, RoleSessionName=name)")),
    Elsewhere("boto slow down", "overload", "yes", raised(("botocore.exceptions", "ClientError", "An error occurred (SlowDown) when calling the PutObject operation (reached max retries: 4): Please reduce your request rate."), line="s3.put_object(Bucket=bucket, Key=key, Body=body)")),
    Elsewhere("boto parameter", "bug", "no", raised(("botocore.exceptions", "ParamValidationError", "Parameter validation failed:\nInvalid type for parameter Key, value: None, type: <class 'NoneType'>, valid types: <class 'str'>"), line='s3.get_object(Bucket="invoices", Key=key)', key="None")),
    Elsewhere("dynamo conditional", "bug", "no", raised(("botocore.errorfactory", "ConditionalCheckFailedException", "An error occurred (ConditionalCheckFailedException) when calling the PutItem operation: The conditional request failed"), line="table.put_item(Item=item, ConditionExpression=once)")),
    Elsewhere("mongo nobody", "database", "clears", raised(("pymongo.errors", "ServerSelectionTimeoutError", "10.0.0.9:27017: [Errno 111] Connection refused (configured timeouts: socketTimeoutMS: 20000.0ms, connectTimeoutMS: 20000.0ms), Timeout: 5.0s, Topology Description: <TopologyDescription id: 66, topology_type: Unknown, servers: [<ServerDescription ('10.0.0.9', 27017) server_type: Unknown, rtt: None>]>"), line="db.orders.find_one(query)")),
    Elsewhere("mongo duplicate key", "bug", "no", raised(("pymongo.errors", "DuplicateKeyError", "E11000 duplicate key error collection: shop.users index: email_1 dup key: { email: \"a@b.example\" }, full error: {'index': 0, 'code': 11000}"), line="db.users.insert_one(user)")),
    Elsewhere("mongo not primary", "database", "yes", raised(("pymongo.errors", "NotPrimaryError", "not primary, full error: {'ok': 0.0, 'errmsg': 'not primary', 'code': 10107, 'codeName': 'NotWritablePrimary'}"), line="db.users.insert_one(user)")),
    Elsewhere("cassandra none", "database", "clears", raised(("cassandra.cluster", "NoHostAvailable", "('Unable to connect to any servers', {'10.0.0.4:9042': ConnectionRefusedError(111, \"Tried connecting to [('10.0.0.4', 9042)]. Last error: Connection refused\")})"), line="session = cluster.connect('shop')")),
    Elsewhere("cassandra write timeout", "overload", "yes", raised(("cassandra", "WriteTimeout", "Error from server: code=1100 [Coordinator node timed out waiting for replica nodes' responses] message=\"Operation timed out - received only 1 responses.\" info={'consistency': 'QUORUM', 'required_responses': 2, 'received_responses': 1}"), line="session.execute(insert, row)")),
    Elsewhere("ldap down", "overload", "clears", raised(("ldap", "SERVER_DOWN", "{'result': -1, 'desc': \"Can't contact LDAP server\", 'ctrls': []}"), line="conn.simple_bind_s(user, password)")),
    Elsewhere("ldap bind account", "misconfiguration", "no", raised(("ldap3.core.exceptions", "LDAPBindError", "automatic bind not successful - invalidCredentials"), line="Connection(server, settings.LDAP_USER, settings.LDAP_PASSWORD, auto_bind=True)")),
    Elsewhere("smtp login", "misconfiguration", "no", raised(("smtplib", "SMTPAuthenticationError", "(535, b'5.7.8 Username and Password not accepted')"), line="smtp.login(user, password)")),
    Elsewhere("smtp greylisted", "overload", "yes", raised(("smtplib", "SMTPRecipientsRefused", "{'a@b.example': (450, b'4.2.0 Greylisted, try again later')}"), line="smtp.send_message(mail)")),
    Elsewhere("smtp disconnected", "overload", "yes", raised(("smtplib", "SMTPServerDisconnected", "Connection unexpectedly closed"), line="smtp.send_message(mail)")),
    Elsewhere("dnspython", "misconfiguration", "no", raised(("dns.resolver", "NXDOMAIN", "The DNS query name does not exist: mail.internal.example."), line='dns.resolver.resolve(settings.MAIL_HOST, "MX")')),
    Elsewhere("kubernetes forbidden", "misconfiguration", "no", raised(("kubernetes.client.exceptions", "ApiException", "(403)\nReason: Forbidden\nHTTP response headers: HTTPHeaderDict({'Content-Type': 'application/json'})\nHTTP response body: {\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"jobs.batch is forbidden: User \\\"system:serviceaccount:shop:web\\\" cannot create resource \\\"jobs\\\" in API group \\\"batch\\\"\",\"reason\":\"Forbidden\",\"code\":403}"), line="batch.create_namespaced_job(namespace, job)")),
    Elsewhere("kubernetes conflict", "bug", "yes", raised(("kubernetes.client.exceptions", "ApiException", "(409)\nReason: Conflict\nHTTP response body: {\"kind\":\"Status\",\"message\":\"Operation cannot be fulfilled on deployments.apps \\\"web\\\": the object has been modified; please apply your changes to the latest version and try again\",\"code\":409}"), line="apps.replace_namespaced_deployment(name, ns, body)")),
    Elsewhere("stripe rate limit", "overload", "yes", raised(("stripe", "RateLimitError", "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."), line="stripe.Charge.create(amount=total)")),
    Elsewhere("stripe key", "misconfiguration", "no", raised(("stripe", "AuthenticationError", "Invalid API Key provided: sk_test_****1234"), line="stripe.Charge.create(amount=total)")),
    Elsewhere("stripe request", "bug", "no", raised(("stripe", "InvalidRequestError", "Request req_8: Invalid integer: 12.5"), line="stripe.Charge.create(amount=total)", total="12.5")),
    Elsewhere("pydantic settings", "misconfiguration", "no", raised(("pydantic_core._pydantic_core", "ValidationError", "1 validation error for Settings\ndatabase_url\n  Field required [type=missing, input_value={}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.7/v/missing"), line="settings = Settings()")),
    Elsewhere("jwt key is no key", "misconfiguration", "no", raised(("jwt.exceptions", "InvalidKeyError", "Could not parse the provided public key."), line='jwt.decode(token, settings.PUBLIC_KEY, algorithms=["RS256"])')),
    Elsewhere("cryptography wrong key", "misconfiguration", "no", raised(("cryptography.exceptions", "InvalidSignature", "Signature did not match digest."), ("cryptography.fernet", "InvalidToken", ""), line="Fernet(settings.FIELD_KEY).decrypt(row.secret)")),
    Elsewhere("PIL truncated", "bug", "no", raised(("builtins", "OSError", "image file is truncated (31 bytes not processed)"), line="image.load()")),
    Elsewhere("PIL bomb", "security", "no", raised(("PIL.Image", "DecompressionBombError", "Image size (900000000 pixels) exceeds limit of 178956970 pixels, could be decompression bomb DOS attack."), line="Image.open(request.files['photo'])")),
    Elsewhere("pandas merge", "bug", "no", raised(("pandas.errors", "MergeError", "Merge keys are not unique in right dataset; not a one-to-one merge"), line='orders.merge(prices, on="sku", validate="1:1")')),
    Elsewhere("numpy memory", "overload", "clears", raised(("numpy._core._exceptions", "_ArrayMemoryError", "Unable to allocate 29.8 GiB for an array with shape (4000000000,) and data type float64"), line="np.zeros(n)")),
    Elsewhere("numpy shapes", "bug", "no", raised(("builtins", "ValueError", "operands could not be broadcast together with shapes (3,) (4,)"), line="return weights * prices")),
    Elsewhere("asyncio line limit", "bug", "no", raised(("builtins", "ValueError", "Separator is found, but chunk is longer than limit"), line="line = await reader.readline()")),
    Elsewhere("ssl plain port", "misconfiguration", "no", raised(("ssl", "SSLError", "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), line="client.get(settings.PRICES_URL)")),
    Elsewhere("java no such table", "database", "no", raised(("org.postgresql.util", "PSQLException", 'ERROR: relation "orders" does not exist\n  Position: 15'), ("org.springframework.jdbc", "BadSqlGrammarException", "PreparedStatementCallback; bad SQL grammar [select * from orders where id = ?]"), platform="java")),
    Elsewhere("spring placeholder", "misconfiguration", "no", raised(("java.lang", "IllegalArgumentException", 'Could not resolve placeholder \'payments.url\' in value "${payments.url}"'), ("org.springframework.beans.factory", "BeanCreationException", "Error creating bean with name 'paymentClient': Injection of autowired dependencies failed"), platform="java")),
    Elsewhere("java concurrent modification", "bug", "yes", raised(("java.util", "ConcurrentModificationException", ""), platform="java")),
    Elsewhere("java lazy", "bug", "no", raised(("org.hibernate", "LazyInitializationException", "failed to lazily initialize a collection of role: com.shop.Order.lines: could not initialize proxy - no Session"), platform="java")),
    Elsewhere("java read timed out", "overload", "yes", raised(("java.net", "SocketTimeoutException", "Read timed out"), ("org.springframework.web.client", "ResourceAccessException", 'I/O error on GET request for "http://prices.internal/7": Read timed out'), platform="java")),
    Elsewhere("java cast", "bug", "no", raised(("java.lang", "ClassCastException", "class java.lang.String cannot be cast to class java.lang.Integer (java.lang.String and java.lang.Integer are in module java.base of loader 'bootstrap')"), platform="java")),
    Elsewhere("go deadline", "overload", "yes", raised(("", "*url.Error", 'Get "http://prices.internal/7": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'), platform="go")),
    Elsewhere("go nil map", "bug", "no", raised(("", "runtime.plainError", "assignment to entry in nil map"), platform="go")),
    Elsewhere("go lib/pq full", "overload", "clears", raised(("", "*pq.Error", "pq: sorry, too many clients already"), platform="go")),
    Elsewhere("go unknown authority", "misconfiguration", "no", raised(("", "*url.Error", 'Get "https://prices.internal/7": x509: certificate signed by unknown authority'), platform="go")),
    Elsewhere("laravel table", "database", "no", raised(("", "PDOException", "SQLSTATE[42S02]: Base table or view not found: 1146 Table 'shop.orders' doesn't exist"), ("", "Illuminate\\Database\\QueryException", "SQLSTATE[42S02]: Base table or view not found: 1146 Table 'shop.orders' doesn't exist (Connection: mysql, SQL: select * from `orders` where `id` = 7)"), platform="php")),
    Elsewhere("laravel memory", "overload", "clears", raised(("", "Symfony\\Component\\ErrorHandler\\Error\\FatalError", "Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)"), platform="php")),
    Elsewhere("php class missing", "misconfiguration", "no", raised(("", "Error", 'Class "Redis" not found'), platform="php")),
    Elsewhere("php undefined key", "bug", "no", raised(("", "ErrorException", 'Undefined array key "price"'), platform="php")),
    Elsewhere("rails pending migration", "database", "no", raised(("ActiveRecord", "ActiveRecord::PendingMigrationError", "Migrations are pending. To resolve this issue, run: bin/rails db:migrate"), platform="ruby")),
    Elsewhere("rails pool", "overload", "clears", raised(("ActiveRecord", "ActiveRecord::ConnectionTimeoutError", "could not obtain a connection from the pool within 5.000 seconds (waited 5.001 seconds); all pooled connections were in use"), platform="ruby")),
    Elsewhere("rails not unique", "bug", "no", raised(("PG", "PG::UniqueViolation", 'ERROR:  duplicate key value violates unique constraint "index_users_on_email"'), ("ActiveRecord", "ActiveRecord::RecordNotUnique", 'PG::UniqueViolation: ERROR:  duplicate key value violates unique constraint "index_users_on_email"'), platform="ruby")),
    Elsewhere("ruby net timeout", "overload", "yes", raised(("Net", "Net::ReadTimeout", "Net::ReadTimeout with #<TCPSocket:(closed)>"), platform="ruby")),
    Elsewhere("dotnet null", "bug", "no", raised(("System", "System.NullReferenceException", "Object reference not set to an instance of an object."), platform="csharp")),
    Elsewhere("dotnet sql timeout", "overload", "clears", raised(("Microsoft.Data.SqlClient", "Microsoft.Data.SqlClient.SqlException", "Execution Timeout Expired.  The timeout period elapsed prior to completion of the operation or the server is not responding."), platform="csharp")),
    Elsewhere("dotnet sql pool", "overload", "clears", raised(("System", "System.InvalidOperationException", "Timeout expired.  The timeout period elapsed prior to obtaining a connection from the pool.  This may have occurred because all pooled connections were in use and max pool size was reached."), platform="csharp")),
    Elsewhere("dotnet configuration", "misconfiguration", "no", raised(("System", "System.InvalidOperationException", "Section 'Payments' not found in configuration."), platform="csharp")),
    Elsewhere("dotnet http refused", "overload", "clears", raised(("System.Net.Sockets", "System.Net.Sockets.SocketException", "Connection refused"), ("System.Net.Http", "System.Net.Http.HttpRequestException", "Connection refused (prices.internal:80)"), platform="csharp")),
]  # fmt: skip


def main() -> None:
    from tests.diagnosis.fresh import fresh
    from tests.diagnosis.fresh_more import more

    for cases in (first, fresh, more):
        report(cases)


def report(cases: list[Elsewhere]) -> None:
    right = certain_wrong = transient = unknown = confident = confident_right = 0
    for one in cases:
        said = diagnose(one.event)
        hit = said.cause == one.cause
        right += hit
        unknown += said.cause == "unknown"
        transient += hit and said.transient == one.transient
        if said.confidence in ("certain", "likely"):
            confident, confident_right = confident + 1, confident_right + hit
        certain_wrong += said.confidence == "certain" and not hit
        if not hit or said.transient != one.transient:
            sys.stdout.write(
                f"{one.name}: is {one.cause} {one.transient}; {said.cause} {said.transient} {said.confidence} {said.rule}\n"
            )
    sys.stdout.write(
        f"{len(cases)} events: cause right {right}, unknown {unknown}, transience right too {transient}, "
        f"certain and wrong {certain_wrong}, certain or likely right {confident_right} of {confident}, "
        f"macro F1 {macro_f1(cases):.3f}\n"
    )


def macro_f1(cases: list[Elsewhere]) -> float:
    pairs = [(one.cause, diagnose(one.event).cause) for one in cases]
    scores = []
    for cause in {meant for meant, _ in pairs}:
        hit = pairs.count((cause, cause))
        scores.append(2 * hit / (sum(m == cause for m, _ in pairs) + sum(s == cause for _, s in pairs)))
    return sum(scores) / len(scores)


if __name__ == "__main__":
    main()
