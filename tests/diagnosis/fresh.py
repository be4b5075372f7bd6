"""A set of events that the rules had not seen when it was written: typed as the SDKs of those libraries send them, with
the library's own frames, labelled first and asked afterwards. ``elsewhere`` prints its figures."""

# ruff: noqa: E501 - messages read better as they are

from __future__ import annotations

from typing import Any

from tests.diagnosis.elsewhere import Elsewhere

from fivehundred.diagnosis.model import Cause, Transient
from fivehundred.event import parse

homes = {
    "python": ("shop.orders", "shop/orders.py"),
    "java": ("com.shop.OrderService", "OrderService.java"),
    "go": ("shop/orders", "orders/total.go"),
    "php": ("App\\Service\\Orders", "src/Service/Orders.php"),
    "ruby": ("Orders::Total", "app/services/orders/total.rb"),
    "csharp": ("Shop.Orders.OrderService", "OrderService.cs"),
    "node": ("orders.total", "/srv/shop/orders/total.js"),
    "rust": ("shop::orders", "src/orders.rs"),
    "javascript": ("", "https://shop.example/static/app.3f9c.js"),
    "elixir": ("Shop.Orders", "lib/shop/orders.ex"),
}


def _frames(platform: str, line: str, below: tuple[str, ...], variables: dict[str, str]) -> list[dict[str, Any]]:
    module, filename = homes[platform]
    own = {
        "module": module,
        "function": "total",
        "filename": filename,
        "lineno": 41,
        "in_app": True,
        "context_line": line,
        "vars": variables,
    }
    under = [
        {
            "module": place.rpartition(":")[0],
            "function": place.rpartition(":")[2],
            "filename": place.rpartition(":")[0],
            "in_app": False,
        }
        for place in below
    ]
    return [own, *under]


def case(
    title: str,
    cause: Cause,
    transient: Transient,
    /,
    *chain: tuple[str, str, str],
    line: str = "",
    platform: str = "python",
    below: tuple[str, ...] = (),
    request: dict[str, Any] | None = None,
    **variables: str,
) -> Elsewhere:
    """Each of the chain is (module, type, message), the innermost first as on the wire."""
    values = [
        {
            "module": module or None,
            "type": kind,
            "value": message,
            "stacktrace": {"frames": _frames(platform, line, below if at == 0 else (), variables)},
        }
        for at, (module, kind, message) in enumerate(chain)
    ]
    wire: dict[str, Any] = {"platform": platform, "exception": {"values": values}}
    if request:
        wire["request"] = {"method": "POST", "url": "https://shop.example/orders", **request}
    return Elsewhere(title, cause, transient, parse(wire, received_at=1.8e9))


aio_refused = ("builtins", "ConnectionRefusedError", "[Errno 111] Connect call failed ('10.0.0.5', 3306)")

fresh: list[Elsewhere] = [
    # ---- data stores from Python
    case("opensearch times out", "overload", "yes", ("opensearchpy.exceptions", "ConnectionTimeout", "ConnectionTimeout caused by - ReadTimeoutError(HTTPConnectionPool(host='search.internal', port=9200): Read timed out. (read timeout=10))"), line='hits = client.search(index="orders", body=q)', below=("opensearchpy.connection.http_urllib3:perform_request",)),
    case("opensearch mapper parsing", "bug", "no", ("opensearchpy.exceptions", "RequestError", "RequestError(400, 'mapper_parsing_exception', \"failed to parse field [total] of type [long] in document with id '7'\")"), line='client.index(index="orders", body=doc)', below=("opensearchpy.connection.base:_raise_error",)),
    case("cassandra table missing", "database", "no", ("cassandra", "InvalidRequest", "Error from server: code=2200 [Invalid query] message=\"table orders does not exist\""), line="session.execute(insert, row)", below=("cassandra.cluster:result",)),
    case("cassandra unavailable", "database", "clears", ("cassandra", "Unavailable", "Error from server: code=1000 [Unavailable exception] message=\"Cannot achieve consistency level QUORUM\" info={'consistency': 'QUORUM', 'required_replicas': 2, 'alive_replicas': 1}"), line="session.execute(insert, row)", below=("cassandra.cluster:result",)),
    case("aiomysql refused", "database", "clears", aio_refused, ("pymysql.err", "OperationalError", "(2003, \"Can't connect to MySQL server on '10.0.0.5'\")"), line="pool = await aiomysql.create_pool(host=host)", below=("aiomysql.connection:_connect",)),
    case("aiomysql lost", "database", "yes", ("pymysql.err", "OperationalError", "(2013, 'Lost connection to MySQL server during query')"), line="await cur.execute(q)", below=("aiomysql.cursors:_query",)),
    case("asyncmy access denied", "misconfiguration", "no", ("asyncmy.errors", "OperationalError", "(1045, \"Access denied for user 'shop'@'10.0.0.8' (using password: YES)\")"), line="conn = await asyncmy.connect(**settings.DB)"),
    case("asyncmy column missing", "database", "no", ("asyncmy.errors", "OperationalError", "(1054, \"Unknown column 'discount' in 'field list'\")"), line="await cur.execute(q)"),
    case("aiosqlite locked", "database", "yes", ("sqlite3", "OperationalError", "database is locked"), line="await db.execute(q)", below=("aiosqlite.core:run",)),
    case("peewee unique", "bug", "no", ("sqlite3", "IntegrityError", "UNIQUE constraint failed: user.email"), ("peewee", "IntegrityError", "UNIQUE constraint failed: user.email"), line="User.create(email=email)", below=("peewee:execute_sql",)),
    case("peewee does not exist", "bug", "no", ("shop.models", "OrderDoesNotExist", "<Model: Order> instance matching query does not exist:\nSQL: SELECT \"t1\".\"id\" FROM \"order\" AS \"t1\" WHERE (\"t1\".\"id\" = ?) LIMIT ? OFFSET ?\nParams: [7, 1, 0]"), line="order = Order.get_by_id(7)", below=("peewee:get",)),
    case("peewee pool exceeded", "overload", "clears", ("playhouse.pool", "MaxConnectionsExceeded", "Max connections exceeded, timed out attempting to connect."), line="with db.connection_context():", below=("playhouse.pool:connect",)),
    case("tortoise not initialised", "misconfiguration", "no", ("tortoise.exceptions", "ConfigurationError", "No DB associated to model"), line="await Order.get(id=7)", below=("tortoise.models:_choose_db",)),
    case("tortoise no table", "database", "no", ("asyncpg.exceptions", "UndefinedTableError", 'relation "order" does not exist'), ("tortoise.exceptions", "OperationalError", 'relation "order" does not exist'), line="await Order.all()", below=("asyncpg.connection:_do_execute",)),
    case("pony stale object", "bug", "yes", ("pony.orm.core", "OptimisticCheckError", "Object Order[7] was updated outside of current transaction"), line="commit()", below=("pony.orm.core:_save_updated_",)),
    case("sqlmodel several rows", "bug", "no", ("sqlalchemy.exc", "MultipleResultsFound", "Multiple rows were found when exactly one was required"), line="session.exec(select(User)).one()", below=("sqlalchemy.engine.result:_only_one_row",)),
    case("motor authentication", "misconfiguration", "no", ("pymongo.errors", "OperationFailure", "Authentication failed., full error: {'ok': 0.0, 'errmsg': 'Authentication failed.', 'code': 18, 'codeName': 'AuthenticationFailed'}"), line="await db.orders.find_one({})", below=("pymongo.helpers:_check_command_response",)),
    case("mongoengine validation", "bug", "no", ("mongoengine.errors", "ValidationError", "ValidationError (Order:None) (Field is required: ['total'])"), line="order.save()", below=("mongoengine.base.document:validate",)),
    case("mongo network timeout", "overload", "yes", ("pymongo.errors", "NetworkTimeout", "mongo-2.internal:27017: timed out (configured timeouts: socketTimeoutMS: 5000.0ms, connectTimeoutMS: 20000.0ms)"), line="db.orders.find_one(query)", below=("pymongo.pool:_raise_connection_failure",)),
    case("mongo pool wait", "overload", "clears", ("pymongo.errors", "WaitQueueTimeoutError", "Timed out while checking out a connection from connection pool. maxPoolSize: 10, connections in use by cursors: 10"), line="db.orders.find_one(query)", below=("pymongo.pool:_raise_wait_queue_timeout",)),
    case("beanie not initialised", "misconfiguration", "no", ("beanie.exceptions", "CollectionWasNotInitialized", ""), line="await Order.find_one()", below=("beanie.odm.documents:get_settings",)),
    case("neo4j unavailable", "database", "clears", ("neo4j.exceptions", "ServiceUnavailable", "Couldn't connect to graph.internal:7687 (resolved to ('10.0.0.3:7687',)):\nFailed to establish connection to ResolvedIPv4Address(('10.0.0.3', 7687)) (reason [Errno 111] Connection refused)"), line="driver.verify_connectivity()", below=("neo4j._sync.io._bolt_socket:connect",)),
    case("influx unauthorized", "misconfiguration", "no", ("influxdb_client.rest", "ApiException", "(401)\nReason: Unauthorized\nHTTP response body: {\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}"), line="write_api.write(bucket, org, point)"),
    case("clickhouse memory limit", "overload", "clears", ("clickhouse_driver.errors", "ServerException", "Code: 241.\nDB::Exception: Memory limit (total) exceeded: would use 28.05 GiB (attempt to allocate chunk of 4219140 bytes), maximum: 27.86 GiB."), line="client.execute(q)"),
    case("clickhouse unknown table", "database", "no", ("clickhouse_driver.errors", "ServerException", "Code: 60.\nDB::Exception: Table shop.orders does not exist."), line="client.execute(q)"),
    case("oracle listener", "database", "clears", ("oracledb.exceptions", "OperationalError", "DPY-6005: cannot connect to database (CONNECTION_ID=abc).\n[Errno 111] Connection refused"), line="conn = oracledb.connect(dsn=dsn)", below=("oracledb.connection:__init__",)),
    case("oracle unique", "bug", "no", ("oracledb.exceptions", "IntegrityError", "ORA-00001: unique constraint (SHOP.ORDERS_PK) violated"), line="cur.execute(q, row)"),
    case("oracle table", "database", "no", ("oracledb.exceptions", "DatabaseError", "ORA-00942: table or view does not exist"), line="cur.execute(q, row)"),
    case("mssql deadlock victim", "database", "yes", ("pyodbc", "Error", "('40001', '[40001] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Transaction (Process ID 62) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction. (1205) (SQLExecDirectW)')"), line="cur.execute(q)"),
    case("mssql login", "misconfiguration", "no", ("pyodbc", "InterfaceError", "('28000', \"[28000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Login failed for user 'shop'. (18456) (SQLDriverConnect)\")"), line="pyodbc.connect(dsn)"),
    case("memcached down", "database", "clears", ("pymemcache.exceptions", "MemcacheUnexpectedCloseError", ""), line='cache.get("price:7")', below=("pymemcache.client.base:_recv",)),
    # ---- brokers
    case("aiokafka connection", "database", "clears", ("aiokafka.errors", "KafkaConnectionError", "KafkaConnectionError: Unable to bootstrap from [('kafka-1', 9092, <AddressFamily.AF_UNSPEC: 0>)]"), line="await producer.start()", below=("aiokafka.client:bootstrap",)),
    case("confluent transport", "database", "clears", ("cimpl", "KafkaException", 'KafkaError{code=_TRANSPORT,val=-195,str="Failed to get metadata: Local: Broker transport failure"}'), line="admin.list_topics(timeout=5)"),
    case("confluent queue full", "overload", "clears", ("builtins", "BufferError", "Local: Queue full"), line='producer.produce("orders", body)'),
    case("kafka topic authorisation", "misconfiguration", "no", ("aiokafka.errors", "TopicAuthorizationFailedError", "[Error 29] TopicAuthorizationFailedError: {'orders'}"), line='await producer.send_and_wait("orders", body)'),
    case("aio-pika refused", "database", "clears", ("builtins", "ConnectionRefusedError", "[Errno 111] Connect call failed ('10.0.0.2', 5672)"), ("aiormq.exceptions", "AMQPConnectionError", "[Errno 111] Connect call failed ('10.0.0.2', 5672)"), line="connection = await aio_pika.connect_robust(url)", below=("aiormq.connection:connect",)),
    case("nats no servers", "database", "clears", ("nats.errors", "NoServersError", "nats: no servers available for connection"), line="nc = await nats.connect(servers)", below=("nats.aio.client:_select_next_server",)),
    case("nats no responders", "overload", "clears", ("nats.errors", "NoRespondersError", "nats: no responders available for request"), line='await nc.request("price.7", b"")', below=("nats.aio.client:_request_new_style",)),
    case("celery broker down", "database", "clears", ("builtins", "ConnectionRefusedError", "[Errno 111] Connection refused"), ("kombu.exceptions", "OperationalError", "[Errno 111] Connection refused"), line="send_receipt.delay(7)", below=("amqp.transport:_connect",)),
    case("celery unregistered", "misconfiguration", "no", ("celery.exceptions", "NotRegistered", "'shop.tasks.send_receipt'"), line='app.tasks["shop.tasks.send_receipt"]', below=("celery.app.registry:__missing__",)),
    case("huey result timeout", "overload", "yes", ("huey.exceptions", "ResultTimeout", "timed out waiting for result"), line="receipt(7).get(blocking=True, timeout=5)", below=("huey.api:get",)),
    case("dramatiq rate", "overload", "yes", ("dramatiq.rate_limits", "RateLimitExceeded", "rate limit exceeded"), line="with limiter.acquire():"),
    # ---- clouds and services
    case("minio no bucket", "misconfiguration", "no", ("minio.error", "S3Error", "S3 operation failed; code: NoSuchBucket, message: The specified bucket does not exist, resource: /invoices/7.pdf, request_id: 17, host_id: dd, bucket_name: invoices, object_name: 7.pdf"), line='client.get_object("invoices", key)', below=("minio.api:_url_open",)),
    case("boto access denied", "misconfiguration", "no", ("botocore.exceptions", "ClientError", "An error occurred (AccessDenied) when calling the PutObject operation: User: arn:aws:sts::1:assumed-role/web is not authorized to perform: s3:PutObject"), line="s3.put_object(Bucket=bucket, Key=key)", below=("botocore.client:_make_api_call",)),
    case("boto throttled", "overload", "yes", ("botocore.errorfactory", "ProvisionedThroughputExceededException", "An error occurred (ProvisionedThroughputExceededException) when calling the PutItem operation (reached max retries: 10): The level of configured provisioned throughput for the table was exceeded."), line="table.put_item(Item=item)", below=("botocore.client:_make_api_call",)),
    case("boto dynamo table missing", "database", "no", ("botocore.errorfactory", "ResourceNotFoundException", "An error occurred (ResourceNotFoundException) when calling the GetItem operation: Requested resource not found"), line="table.get_item(Key=key)", below=("botocore.client:_make_api_call",)),
    case("boto no such key", "bug", "no", ("botocore.errorfactory", "NoSuchKey", "An error occurred (NoSuchKey) when calling the GetObject operation: The specified key does not exist."), line="s3.get_object(Bucket=bucket, Key=key)", below=("botocore.client:_make_api_call",)),
    case("google storage forbidden", "misconfiguration", "no", ("google.api_core.exceptions", "Forbidden", "403 GET https://storage.googleapis.com/storage/v1/b/invoices: web@shop.iam.gserviceaccount.com does not have storage.buckets.get access to the Google Cloud Storage bucket."), line='client.get_bucket("invoices")', below=("google.cloud._http:api_request",)),
    case("google quota", "overload", "yes", ("google.api_core.exceptions", "ResourceExhausted", "429 Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service 'vision.googleapis.com'"), line="client.label_detection(image=image)", below=("google.api_core.grpc_helpers:error_remapped_callable",)),
    case("google credentials", "misconfiguration", "no", ("google.auth.exceptions", "DefaultCredentialsError", "Your default credentials were not found. To set up Application Default Credentials, see https://cloud.google.com/docs/authentication/external/set-up-adc for more information."), line="client = storage.Client()", below=("google.auth._default:default",)),
    case("azure auth", "misconfiguration", "no", ("azure.core.exceptions", "ClientAuthenticationError", "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.\nErrorCode:AuthenticationFailed"), line="blob.upload_blob(data)", below=("azure.storage.blob._shared.response_handlers:process_storage_error",)),
    case("azure busy", "overload", "yes", ("azure.core.exceptions", "HttpResponseError", "The server is currently unable to receive requests. Please retry your request.\nErrorCode:ServerBusy"), line="blob.upload_blob(data)", below=("azure.storage.blob._shared.response_handlers:process_storage_error",)),
    case("grpc aio exhausted", "overload", "yes", ("grpc.aio._call", "AioRpcError", '<AioRpcError of RPC that terminated with:\n\tstatus = StatusCode.RESOURCE_EXHAUSTED\n\tdetails = "too many requests"\n>'), line="await stub.Price(request)"),
    case("grpc unauthenticated", "misconfiguration", "no", ("grpc._channel", "_InactiveRpcError", '<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.UNAUTHENTICATED\n\tdetails = "invalid service token"\n>'), line="stub.Price(request, metadata=auth)"),
    case("grpc invalid argument", "bug", "no", ("grpc._channel", "_InactiveRpcError", '<_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.INVALID_ARGUMENT\n\tdetails = "sku must not be empty"\n>'), line="stub.Price(request)"),
    case("openai overloaded", "overload", "yes", ("openai", "APITimeoutError", "Request timed out."), line="client.responses.create(model=model, input=text)", below=("openai._base_client:request",)),
    case("openai key", "misconfiguration", "no", ("openai", "AuthenticationError", "Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-1234. You can find your API key at https://platform.openai.com/account/api-keys.', 'type': 'invalid_request_error', 'code': 'invalid_api_key'}}"), line="client.responses.create(model=model, input=text)", below=("openai._base_client:_request",)),
    case("twilio unreachable number", "bug", "no", ("twilio.base.exceptions", "TwilioRestException", "HTTP 400 error: Unable to create record: The 'To' number +1555 is not a valid phone number."), line="client.messages.create(to=number, body=text)"),
    case("zeep fault 503", "overload", "yes", ("zeep.exceptions", "TransportError", "Server returned HTTP status 503 (no content available)"), line="service.GetRate(currency)", below=("zeep.wsdl.bindings.soap:process_reply",)),
    case("paramiko authentication", "misconfiguration", "no", ("paramiko.ssh_exception", "AuthenticationException", "Authentication failed."), line="ssh.connect(host, username=user, key_filename=path)", below=("paramiko.auth_handler:wait_for_response",)),
    case("paramiko nobody", "overload", "clears", ("paramiko.ssh_exception", "NoValidConnectionsError", "[Errno None] Unable to connect to port 22 on 10.0.0.9"), line="ssh.connect(host, username=user)", below=("paramiko.client:connect",)),
    case("asyncssh host key", "misconfiguration", "no", ("asyncssh.misc", "HostKeyNotVerifiable", "Host key is not trusted for host 10.0.0.9"), line="await asyncssh.connect(host)"),
    case("imap over quota", "overload", "clears", ("imaplib", "IMAP4.error", "APPEND command error: BAD [b'[OVERQUOTA] Quota exceeded (mailbox for user is full)']"), line="imap.append(folder, None, None, body)"),
    case("ftp login", "misconfiguration", "no", ("ftplib", "error_perm", "530 Login incorrect."), line="ftp.login(user, password)", below=("ftplib:getresp",)),
    case("ftp busy", "overload", "yes", ("ftplib", "error_temp", "421 Too many connections (10) from this IP"), line="ftp.connect(host)", below=("ftplib:getresp",)),
    case("smtp refused", "overload", "clears", ("builtins", "ConnectionRefusedError", "[Errno 111] Connection refused"), line="smtplib.SMTP(settings.MAIL_HOST, 25)", below=("smtplib:connect", "socket:create_connection")),
    case("aiohttp 502", "overload", "yes", ("aiohttp.client_exceptions", "ClientResponseError", "502, message='Bad Gateway', url='http://prices.internal/7'"), line="resp.raise_for_status()", below=("aiohttp.client_reqrep:raise_for_status",)),
    case("aiohttp name", "misconfiguration", "no", ("socket", "gaierror", "[Errno -2] Name or service not known"), ("aiohttp.client_exceptions", "ClientConnectorDNSError", "Cannot connect to host prices.internl:80 ssl:default [Name or service not known]"), line="await session.get(settings.PRICES)", below=("aiohttp.connector:_resolve_host",)),
    case("ipv6 unreachable", "overload", "clears", ("builtins", "OSError", "[Errno 101] Network is unreachable"), line="sock.connect(('2001:db8::7', 443, 0, 0))"),
    case("docker socket missing", "misconfiguration", "no", ("builtins", "FileNotFoundError", "[Errno 2] No such file or directory"), ("docker.errors", "DockerException", "Error while fetching server API version: ('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))"), line="docker.from_env()", below=("urllib3.connection:connect",)),
    # ---- settings, secrets, migrations
    case("decouple", "misconfiguration", "no", ("decouple", "UndefinedValueError", "PAYMENTS_KEY not found. Declare it as envvar or define a default value."), line='key = config("PAYMENTS_KEY")', below=("decouple:get",)),
    case("environ", "misconfiguration", "no", ("environ.compat", "ImproperlyConfigured", "Set the PAYMENTS_URL environment variable"), line='env("PAYMENTS_URL")', below=("environ.environ:get_value",)),
    case("dynaconf", "misconfiguration", "no", ("dynaconf.validator", "ValidationError", "PAYMENTS_URL is required in env main"), line="settings.validators.validate()"),
    case("hydra", "misconfiguration", "no", ("hydra.errors", "MissingConfigException", "Cannot find primary config 'web'. Check that it's in your config search path."), line='cfg = compose("web")'),
    case("alembic behind", "database", "no", ("alembic.util.exc", "CommandError", "Target database is not up to date."), line="command.check(config)"),
    case("vault sealed", "misconfiguration", "clears", ("hvac.exceptions", "VaultDown", "Vault is sealed, on get http://vault.internal:8200/v1/secret/data/shop"), line="client.secrets.kv.v2.read_secret_version(path=path)"),
    case("private key", "misconfiguration", "no", ("builtins", "ValueError", "('Could not deserialize key data. The data may be in an incorrect format, it may be encrypted with an unsupported algorithm.', [<OpenSSLError(code=503841036, lib=60, reason=524556, reason_text=unsupported)>])"), line="load_pem_private_key(settings.SIGNING_KEY, None)", below=("cryptography.hazmat.primitives.serialization.base:load_pem_private_key",)),
    case("wkhtmltopdf missing", "misconfiguration", "no", ("builtins", "FileNotFoundError", "[Errno 2] No such file or directory: 'wkhtmltopdf'"), line='subprocess.run(["wkhtmltopdf", page, out], check=True)', below=("subprocess:_execute_child",)),
    case("script not executable", "misconfiguration", "no", ("builtins", "PermissionError", "[Errno 13] Permission denied: '/srv/shop/bin/receipt'"), line="subprocess.run([RECEIPT, order])", below=("subprocess:_execute_child",)),
    case("tesseract", "misconfiguration", "no", ("pytesseract.pytesseract", "TesseractNotFoundError", "tesseract is not installed or it's not in your PATH. See README file for more information."), line="pytesseract.image_to_string(image)"),
    case("ctypes library", "misconfiguration", "no", ("builtins", "OSError", "libgeos_c.so.1: cannot open shared object file: No such file or directory"), line='geos = ctypes.CDLL("libgeos_c.so.1")', below=("ctypes:__init__",)),
    case("locale", "misconfiguration", "no", ("locale", "Error", "unsupported locale setting"), line='locale.setlocale(locale.LC_ALL, "nb_NO.UTF-8")', below=("locale:setlocale",)),
    case("django template", "misconfiguration", "no", ("django.template.exceptions", "TemplateDoesNotExist", "shop/receipt.html"), line='return render(request, "shop/receipt.html")', below=("django.template.loader:get_template",)),
    case("mako name", "bug", "no", ("builtins", "NameError", "name 'totl' is not defined"), line="return tmpl.render(total=total)", below=("receipt_mako:render_body",)),
    # ---- resources
    case("no new thread", "overload", "clears", ("builtins", "RuntimeError", "can't start new thread"), line="Thread(target=mail).start()", below=("threading:start",)),
    case("fork", "overload", "clears", ("builtins", "BlockingIOError", "[Errno 11] Resource temporarily unavailable"), line='subprocess.run(["convert", a, b])', below=("subprocess:_execute_child",)),
    case("fork memory", "overload", "clears", ("builtins", "OSError", "[Errno 12] Cannot allocate memory"), line="os.fork()", below=("multiprocessing.popen_fork:_launch",)),
    case("inotify", "overload", "clears", ("builtins", "OSError", "[Errno 28] inotify watch limit reached"), line="observer.start()", below=("watchdog.observers.inotify_c:_raise_error",)),
    case("quota", "overload", "clears", ("builtins", "OSError", "[Errno 122] Disk quota exceeded: '/srv/uploads/7.pdf'"), line="target.write_bytes(body)", below=("pathlib:write_bytes",)),
    case("cuda", "overload", "clears", ("torch", "OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 GiB of which 1.12 GiB is free."), line="y = model(x)"),
    case("tensorflow", "overload", "clears", ("tensorflow.python.framework.errors_impl", "ResourceExhaustedError", "OOM when allocating tensor with shape[64,3,512,512] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc [Op:Conv2D]"), line="y = model.predict(x)"),
    case("semaphore wait", "overload", "yes", ("builtins", "TimeoutError", ""), line="async with asyncio.timeout(2), slots:", below=("asyncio.locks:acquire", "asyncio.timeouts:__aexit__")),
    case("gevent timeout", "overload", "yes", ("gevent.timeout", "Timeout", "3 seconds"), line="prices = fetch(sku)", below=("gevent._socketcommon:recv",)),
    case("read-only disk", "misconfiguration", "no", ("builtins", "OSError", "[Errno 30] Read-only file system: '/srv/uploads/7.pdf'"), line='open(path, "wb")'),
    # ---- bugs
    case("marshmallow", "bug", "no", ("marshmallow.exceptions", "ValidationError", "{'total': ['Not a valid integer.']}"), line="OrderSchema().load(row)", below=("marshmallow.schema:_do_load",)),
    case("zip upload", "bug", "no", ("zipfile", "BadZipFile", "File is not a zip file"), line="ZipFile(upload.stream)", below=("zipfile:_RealGetContents",)),
    case("csv", "bug", "no", ("_csv", "Error", "field larger than field limit (131072)"), line="for row in csv.reader(upload):"),
    case("lxml syntax", "bug", "no", ("lxml.etree", "XMLSyntaxError", "Opening and ending tag mismatch: item line 3 and order, line 4, column 9"), line="etree.fromstring(request.body)"),
    case("decimal", "bug", "no", ("decimal", "InvalidOperation", "[<class 'decimal.ConversionSyntax'>]"), line="total = Decimal(raw)", raw="'12,50'"),
    case("overflow", "bug", "no", ("builtins", "OverflowError", "cannot convert float infinity to integer"), line="int(total / share)"),
    case("pickle lambda", "bug", "no", ("_pickle", "PicklingError", "Can't pickle <function <lambda> at 0x7f>: attribute lookup <lambda> on shop.orders failed"), line="pool.map(lambda o: o.total, orders)", below=("multiprocessing.pool:_handle_tasks",)),
    case("asyncio loop", "bug", "no", ("builtins", "RuntimeError", "This event loop is already running"), line="loop.run_until_complete(fetch())", below=("asyncio.base_events:run_forever",)),
    case("jinja undefined", "bug", "no", ("jinja2.exceptions", "UndefinedError", "'order' is undefined"), line="return template.render(basket=basket)", below=("receipt.html:top-level template code",)),
    case("pandas key", "bug", "no", ("builtins", "KeyError", "'total'"), line='frame["total"].sum()', below=("pandas.core.indexes.base:get_loc",)),
    case("index", "bug", "no", ("builtins", "IndexError", "list index out of range"), line="return prices[7]"),
    case("upload image", "bug", "no", ("PIL", "UnidentifiedImageError", "cannot identify image file <_io.BytesIO object at 0x7f9c8c0b5d90>"), line="Image.open(upload)", below=("PIL.Image:open",)),
    case("jwt expired", "bug", "no", ("jwt.exceptions", "ExpiredSignatureError", "Signature has expired"), line="jwt.decode(token, key, algorithms=['RS256'])", below=("jwt.api_jwt:_validate_exp",)),
    case("graphql", "bug", "no", ("graphql.error.graphql_error", "GraphQLError", "Cannot return null for non-nullable field Order.total."), line="schema.execute(query)"),
    # ---- Java
    case("hikari pool", "overload", "clears", ("java.sql", "SQLTransientConnectionException", "HikariPool-1 - Connection is not available, request timed out after 30001ms (total=10, active=10, idle=0, waiting=12)"), ("org.springframework.jdbc", "CannotGetJdbcConnectionException", "Failed to obtain JDBC Connection"), platform="java", below=("com.zaxxer.hikari.pool.HikariPool:createTimeoutException",)),
    case("java mysql down", "database", "clears", ("java.net", "ConnectException", "Connection refused"), ("com.mysql.cj.jdbc.exceptions", "CommunicationsException", "Communications link failure\n\nThe last packet sent successfully to the server was 0 milliseconds ago. The driver has not received any packets from the server."), platform="java", below=("com.mysql.cj.protocol.StandardSocketFactory:connect",)),
    case("java duplicate", "bug", "no", ("java.sql", "SQLIntegrityConstraintViolationException", "Duplicate entry 'a@b.example' for key 'users.email'"), ("org.springframework.dao", "DataIntegrityViolationException", "could not execute statement [Duplicate entry 'a@b.example' for key 'users.email']"), platform="java"),
    case("java heap", "overload", "clears", ("java.lang", "OutOfMemoryError", "Java heap space"), platform="java"),
    case("java native thread", "overload", "clears", ("java.lang", "OutOfMemoryError", "unable to create native thread: possibly out of memory or process/resource limits reached"), platform="java"),
    case("java pkix", "misconfiguration", "no", ("sun.security.provider.certpath", "SunCertPathBuilderException", "unable to find valid certification path to requested target"), ("javax.net.ssl", "SSLHandshakeException", "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target"), platform="java"),
    case("java unknown host", "misconfiguration", "no", ("java.net", "UnknownHostException", "prices.internl"), platform="java"),
    case("java no bean", "misconfiguration", "no", ("org.springframework.beans.factory", "NoSuchBeanDefinitionException", "No qualifying bean of type 'com.shop.PriceClient' available: expected at least 1 bean which qualifies as autowire candidate."), platform="java"),
    case("java rejected", "overload", "yes", ("java.util.concurrent", "RejectedExecutionException", "Task java.util.concurrent.FutureTask@1 rejected from java.util.concurrent.ThreadPoolExecutor@2[Running, pool size = 8, active threads = 8, queued tasks = 100, completed tasks = 7]"), platform="java"),
    case("java stack", "bug", "no", ("java.lang", "StackOverflowError", ""), platform="java"),
    case("java optimistic", "bug", "yes", ("org.hibernate", "StaleObjectStateException", "Row was updated or deleted by another transaction (or unsaved-value mapping was incorrect) : [com.shop.Order#7]"), ("org.springframework.orm", "ObjectOptimisticLockingFailureException", "Row was updated or deleted by another transaction"), platform="java"),
    case("java class missing", "misconfiguration", "no", ("java.lang", "NoClassDefFoundError", "com/shop/money/Money"), platform="java"),
    case("java circuit open", "overload", "clears", ("io.github.resilience4j.circuitbreaker", "CallNotPermittedException", "CircuitBreaker 'prices' is OPEN and does not permit further calls"), platform="java"),
    # ---- Go
    case("go pgx refused", "database", "clears", ("", "*pgconn.ConnectError", "failed to connect to `user=shop database=shop`: 10.0.0.5:5432 (db.internal): dial error: dial tcp 10.0.0.5:5432: connect: connection refused"), platform="go", below=("github.com/jackc/pgx/v5/pgconn:ConnectConfig",)),
    case("go pgx unique", "bug", "no", ("", "*pgconn.PgError", 'ERROR: duplicate key value violates unique constraint "users_email_key" (SQLSTATE 23505)'), platform="go"),
    case("go gorm record", "bug", "no", ("", "*errors.errorString", "record not found"), platform="go"),
    case("go nil pointer", "bug", "no", ("", "runtime.errorString", "runtime error: invalid memory address or nil pointer dereference"), platform="go"),
    case("go no host", "misconfiguration", "no", ("", "*net.OpError", "dial tcp: lookup prices.internl on 10.0.0.1:53: no such host"), platform="go"),
    case("go files", "overload", "clears", ("", "*net.OpError", "accept tcp [::]:8080: accept4: too many open files"), platform="go"),
    case("go disk", "overload", "clears", ("", "*fs.PathError", "write /srv/uploads/7.pdf: no space left on device"), platform="go"),
    case("go redis pool", "overload", "clears", ("", "*errors.errorString", "redis: connection pool timeout"), platform="go"),
    case("go migration", "database", "no", ("", "*pq.Error", 'pq: column "discount" does not exist'), platform="go"),
    # ---- PHP, Ruby
    case("pdo access", "misconfiguration", "no", ("", "PDOException", "SQLSTATE[HY000] [1045] Access denied for user 'shop'@'localhost' (using password: YES)"), platform="php"),
    case("pdo gone", "database", "yes", ("", "PDOException", "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away"), platform="php"),
    case("symfony env", "misconfiguration", "no", ("", "Symfony\\Component\\DependencyInjection\\Exception\\EnvNotFoundException", 'Environment variable not found: "PAYMENTS_URL".'), platform="php"),
    case("guzzle connect", "overload", "clears", ("", "GuzzleHttp\\Exception\\ConnectException", "cURL error 7: Failed to connect to prices.internal port 80 after 1 ms: Couldn't connect to server (see https://curl.haxx.se/libcurl/c/libcurl-errors.html) for http://prices.internal/7"), platform="php"),
    case("guzzle server", "overload", "yes", ("", "GuzzleHttp\\Exception\\ServerException", "Server error: `GET http://prices.internal/7` resulted in a `503 Service Unavailable` response"), platform="php"),
    case("php type", "bug", "no", ("", "TypeError", "App\\Service\\Orders::total(): Argument #1 ($order) must be of type App\\Entity\\Order, null given, called in /srv/shop/src/Controller/OrderController.php on line 30"), platform="php"),
    case("twig", "misconfiguration", "no", ("", "Twig\\Error\\LoaderError", 'Unable to find template "order/show.html.twig" (looked into: /srv/shop/templates).'), platform="php"),
    case("php permission", "misconfiguration", "no", ("", "ErrorException", "file_put_contents(/srv/shop/storage/logs/laravel.log): Failed to open stream: Permission denied"), platform="php"),
    case("rails pg down", "database", "clears", ("", "PG::ConnectionBad", 'connection to server at "10.0.0.5", port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?'), ("", "ActiveRecord::ConnectionNotEstablished", 'connection to server at "10.0.0.5", port 5432 failed: Connection refused'), platform="ruby"),
    case("ruby redis", "database", "clears", ("", "Redis::CannotConnectError", "Connection refused - connect(2) for 10.0.0.6:6379 (redis://redis.internal:6379/0)"), platform="ruby"),
    case("ruby nil", "bug", "no", ("", "NoMethodError", "undefined method 'total' for nil"), platform="ruby"),
    case("rails deadlock", "database", "yes", ("", "PG::TRDeadlockDetected", "ERROR:  deadlock detected\nDETAIL:  Process 7 waits for ShareLock on transaction 1; blocked by process 9."), ("", "ActiveRecord::Deadlocked", "PG::TRDeadlockDetected: ERROR:  deadlock detected"), platform="ruby"),
    case("rails template", "misconfiguration", "no", ("", "ActionView::MissingTemplate", 'Missing template orders/show, application/show with {:locale=>[:en], :formats=>[:html]}'), platform="ruby"),
    case("ruby key", "misconfiguration", "no", ("", "KeyError", 'key not found: "PAYMENTS_URL"'), line='ENV.fetch("PAYMENTS_URL")', platform="ruby"),
    case("rails credentials", "misconfiguration", "no", ("", "ActiveSupport::MessageEncryptor::InvalidMessage", "ActiveSupport::MessageEncryptor::InvalidMessage"), line="Rails.application.credentials.payments", platform="ruby", below=("active_support/encrypted_configuration:read",)),
    case("faraday timeout", "overload", "yes", ("", "Faraday::TimeoutError", "Net::ReadTimeout with #<TCPSocket:(closed)>"), platform="ruby"),
    # ---- .NET, Rust, Node
    case("npgsql refused", "database", "clears", ("System.Net.Sockets", "System.Net.Sockets.SocketException", "Connection refused"), ("Npgsql", "Npgsql.NpgsqlException", "Failed to connect to 10.0.0.5:5432"), platform="csharp"),
    case("ef concurrency", "bug", "yes", ("Microsoft.EntityFrameworkCore", "Microsoft.EntityFrameworkCore.DbUpdateConcurrencyException", "The database operation was expected to affect 1 row(s), but actually affected 0 row(s); data may have been modified or deleted since entities were loaded."), platform="csharp"),
    case("npgsql undefined table", "database", "no", ("Npgsql", "Npgsql.PostgresException", '42P01: relation "orders" does not exist\n\nPOSITION: 15'), platform="csharp"),
    case("dotnet di", "misconfiguration", "no", ("System", "System.InvalidOperationException", "Unable to resolve service for type 'Shop.IPriceClient' while attempting to activate 'Shop.OrderService'."), platform="csharp"),
    case("dotnet http timeout", "overload", "yes", ("System", "System.TimeoutException", "The operation was canceled."), ("System.Threading.Tasks", "System.Threading.Tasks.TaskCanceledException", "The request was canceled due to the configured HttpClient.Timeout of 2 seconds elapsing."), platform="csharp"),
    case("dotnet index", "bug", "no", ("System", "System.ArgumentOutOfRangeException", "Index was out of range. Must be non-negative and less than the size of the collection. (Parameter 'index')"), platform="csharp"),
    case("sqlx pool", "overload", "clears", ("", "sqlx_core::error::Error", "pool timed out while waiting for an open connection"), platform="rust"),
    case("reqwest", "overload", "clears", ("", "reqwest::Error", "error sending request for url (http://prices.internal/7): error trying to connect: tcp connect error: Connection refused (os error 111)"), platform="rust"),
    case("rust panic", "bug", "no", ("", "panic", "called `Option::unwrap()` on a `None` value"), platform="rust"),
    case("rust env", "misconfiguration", "no", ("", "panic", "PAYMENTS_URL must be set: NotPresent"), platform="rust"),
    case("node pg refused", "database", "clears", ("", "Error", "connect ECONNREFUSED 127.0.0.1:5432"), platform="node", below=("node_modules/pg-pool/index.js:Client.connect", "node:net:TCPConnectWrap.afterConnect")),
    case("node mysql denied", "misconfiguration", "no", ("", "Error", "ER_ACCESS_DENIED_ERROR: Access denied for user 'shop'@'localhost' (using password: YES)"), platform="node", below=("node_modules/mysql2/lib/packets/packet.js:asError",)),
    case("mongoose select", "database", "clears", ("", "MongooseServerSelectionError", "connect ECONNREFUSED 10.0.0.9:27017"), platform="node", below=("node_modules/mongoose/lib/connection.js:_handleConnectionErrors",)),
    case("mongoose buffering", "database", "clears", ("", "MongooseError", "Operation `orders.findOne()` buffering timed out after 10000ms"), platform="node"),
    case("mongoose cast", "bug", "no", ("", "CastError", 'Cast to ObjectId failed for value "undefined" (type string) at path "_id" for model "Order"'), platform="node"),
    case("prisma unreachable", "database", "clears", ("", "PrismaClientInitializationError", "Can't reach database server at `db.internal:5432`\n\nPlease make sure your database server is running at `db.internal:5432`."), platform="node"),
    case("prisma pool", "overload", "clears", ("", "PrismaClientKnownRequestError", "\nInvalid `prisma.order.findMany()` invocation:\n\n\nTimed out fetching a new connection from the connection pool. More info: http://pris.ly/d/connection-pool (Current connection pool timeout: 10, connection limit: 5)"), platform="node"),
    case("prisma unique", "bug", "no", ("", "PrismaClientKnownRequestError", "\nInvalid `prisma.user.create()` invocation:\n\n\nUnique constraint failed on the fields: (`email`)"), platform="node"),
    case("undici", "overload", "clears", ("", "Error", "connect ECONNREFUSED 10.0.0.7:8080"), ("", "TypeError", "fetch failed"), platform="node", below=("node:internal/deps/undici/undici:fetch",)),
    case("axios 503", "overload", "yes", ("", "AxiosError", "Request failed with status code 503"), platform="node"),
    case("axios enotfound", "misconfiguration", "no", ("", "AxiosError", "getaddrinfo ENOTFOUND prices.internl"), platform="node"),
    case("node module", "misconfiguration", "no", ("", "Error", "Cannot find module 'stripe'\nRequire stack:\n- /srv/shop/orders/total.js"), platform="node"),
    case("node undefined", "bug", "no", ("", "TypeError", "Cannot read properties of undefined (reading 'total')"), platform="node"),
    case("node emfile", "overload", "clears", ("", "Error", "EMFILE: too many open files, open '/srv/shop/views/order.html'"), platform="node"),
    case("node enospc", "overload", "clears", ("", "Error", "ENOSPC: no space left on device, write"), platform="node"),
    case("node cert", "misconfiguration", "no", ("", "Error", "certificate has expired"), ("", "TypeError", "fetch failed"), platform="node", below=("node:_tls_wrap:TLSSocket.onConnectSecure",)),
    case("node headers timeout", "overload", "yes", ("", "HeadersTimeoutError", "Headers Timeout Error"), ("", "TypeError", "fetch failed"), platform="node"),
    case("sequelize timeout", "overload", "clears", ("", "SequelizeConnectionAcquireTimeoutError", "Operation timeout"), platform="node"),
    # ---- attacks, and what only looks like one
    case("traversal", "security", "no", ("builtins", "FileNotFoundError", "[Errno 2] No such file or directory: '/srv/shop/files/../../../etc/shadow.bak'"), line="return open(os.path.join(ROOT, name))", request={"query_string": "name=../../../etc/shadow.bak"}, name="'../../../etc/shadow.bak'"),
    case("union", "security", "no", ("MySQLdb", "ProgrammingError", "(1064, \"You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near 'UNION SELECT password FROM users-- '' at line 1\")"), line='cur.execute(f"select * from orders where sku = \'{sku}\'")', request={"query_string": "sku=7%27+UNION+SELECT+password+FROM+users--+"}, sku='"7\' UNION SELECT password FROM users-- "'),
    case("ssti", "security", "no", ("jinja2.exceptions", "UndefinedError", "'self.x' is undefined"), line='return Environment().from_string("Hello " + name).render()', request={"data": {"name": "{{ self.x.__init__.__globals__ }}"}}, name="'{{ self.x.__init__.__globals__ }}'"),
    case("ssrf", "security", "no", ("builtins", "ConnectionRefusedError", "[Errno 111] Connection refused"), ("requests.exceptions", "ConnectionError", "HTTPConnectionPool(host='127.0.0.1', port=6379): Max retries exceeded with url: / (Caused by NewConnectionError(\"HTTPConnection(host='127.0.0.1', port=6379): Failed to establish a new connection: [Errno 111] Connection refused\"))"), line="requests.get(url, timeout=3)", request={"data": {"url": "http://127.0.0.1:6379/"}}, url="'http://127.0.0.1:6379/'"),
    case("shell", "security", "no", ("subprocess", "CalledProcessError", "Command 'convert a.png; cat /etc/passwd b.png' returned non-zero exit status 1."), line='subprocess.run(f"convert {name} b.png", shell=True, check=True)', request={"query_string": "name=a.png%3B+cat+%2Fetc%2Fpasswd"}, name="'a.png; cat /etc/passwd'"),
    case("xxe", "security", "no", ("defusedxml.common", "EntitiesForbidden", "EntitiesForbidden(name='x', system_id='file:///etc/passwd', public_id=None)"), line="parse(request.body)", request={"data": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'}),
    case("alg none", "security", "no", ("jwt.exceptions", "InvalidAlgorithmError", "The specified alg value is not allowed"), line="jwt.decode(token, key, algorithms=['RS256'])", request={"headers": {"Authorization": "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiIxIn0."}}),
    case("unpickle", "security", "no", ("_pickle", "UnpicklingError", "invalid load key, '<'."), line="basket = pickle.loads(base64.b64decode(request.cookies['basket']))", request={"cookies": {"basket": "PHNjcmlwdD4="}}),
    case("java deserialise", "security", "no", ("java.io", "InvalidClassException", "filter status: REJECTED"), platform="java", below=("java.io.ObjectInputStream:filterCheck", "java.io.ObjectInputStream:readObject")),
    case("php traversal", "security", "no", ("", "ErrorException", "include(pages/../../../../etc/passwd): Failed to open stream: No such file or directory"), line='include "pages/" . $_GET["page"];', request={"query_string": "page=../../../../etc/passwd"}, platform="php"),
    case("node nosql", "security", "no", ("", "MongoServerError", "unknown operator: $where1"), platform="node", request={"data": {"user": {"$where1": "1"}}}),
    case("quoted search, missing key", "bug", "no", ("builtins", "KeyError", "'price'"), line='return row["price"]', request={"query_string": "q=%27%3B+DROP+TABLE+users--"}),
    case("parent path, full disk", "overload", "clears", ("builtins", "OSError", "[Errno 28] No space left on device"), line="log.write(line)", request={"query_string": "back=../../orders"}),
    case("braces, other error", "bug", "no", ("builtins", "TypeError", "unsupported operand type(s) for +: 'int' and 'str'"), line="return count + label", request={"data": {"note": "{{7*7}} is our tag"}}),
    case("loopback link, database down", "database", "clears", ("psycopg2", "OperationalError", 'connection to server at "10.0.0.5", port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n'), line="psycopg2.connect(dsn)", request={"data": {"url": "http://127.0.0.1:8000/"}}, below=("psycopg2:connect",)),
    case("semicolon in a name, tool missing", "misconfiguration", "no", ("builtins", "FileNotFoundError", "[Errno 2] No such file or directory: 'convert'"), line='subprocess.run(["convert", name, "b.png"])', request={"query_string": "name=a%3Bb.png"}, below=("subprocess:_execute_child",), name="'a;b.png'"),
    case("constant statement, hostile value", "bug", "no", ("psycopg2.errors", "SyntaxError", 'syntax error at or near "form"\nLINE 1: select * form orders where sku = \'x\'\' OR 1=1--\'\n                 ^\n'), line='cur.execute("select * form orders where sku = %s", [sku])', request={"query_string": "sku=x%27+OR+1%3D1--"}, sku='"x\' OR 1=1--"'),
]  # fmt: skip
