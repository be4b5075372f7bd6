<?php
// Failures of a PHP service, raised by the real interpreter; printed as sentry-php puts them on the wire.

namespace App\Service;

set_error_handler(function ($level, $message, $file, $line) {
    throw new \ErrorException($message, 0, $level, $file, $line);
});

function frame(string $file, int $line, string $function): array
{
    $own = $file === __FILE__;
    $lines = is_file($file) ? file($file) : [];
    return [
        'filename' => $own ? '/src/Service/shop.php' : $file, 'abs_path' => $file, 'lineno' => $line, 'function' => $function,
        'in_app' => $own, 'pre_context' => array_slice($lines, max(0, $line - 4), min(3, $line - 1)), 'context_line' => rtrim($lines[$line - 1] ?? ''),
    ];
}

function event(\Throwable $error): array
{
    $values = [];
    for (; $error; $error = $error->getPrevious()) {
        $frames = [];
        [$file, $line] = [$error->getFile(), $error->getLine()];
        foreach ($error->getTrace() as $call) {
            array_unshift($frames, frame($file, $line, ($call['class'] ?? '') . (isset($call['class']) ? '::' : '') . $call['function']));
            [$file, $line] = [$call['file'] ?? '[internal]', $call['line'] ?? 0];
        }
        array_unshift($frames, frame($file, $line, ''));
        array_unshift($values, ['type' => get_class($error), 'value' => $error->getMessage(), 'stacktrace' => ['frames' => $frames]]);
    }
    return ['platform' => 'php', 'sdk' => ['name' => 'sentry.php', 'version' => '4.9.0'], 'exception' => ['values' => $values]];
}

class Order
{
    public int $total = 0;
    public static function of(int $id): self { return new self(); }
}
$env = fn (string $name): string => getenv($name);
$pg = fn (string $more = '', string $user = 'shop') => new \PDO("pgsql:host=127.0.0.1;port={$env('PG')};dbname=postgres;$more", $user, null, [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]);
$my = fn (string $db = 'shop', string $user = 'shop', string $password = 'right') => new \PDO("mysql:host=127.0.0.1;port={$env('MY')};dbname=$db", $user, $password, [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]);
$curl = function (string $url, array $options = []) use ($env) {
    $handle = curl_init($url);
    curl_setopt_array($handle, [CURLOPT_RETURNTRANSFER => true] + $options);
    if (curl_exec($handle) === false) {
        throw new \RuntimeException('cURL error ' . curl_errno($handle) . ': ' . curl_error($handle));
    }
};
require_once 'GuzzleHttp/autoload.php';

$cases = [
    ['php null', 'bug', 'no', function () { $order = null; return $order->total(); }],
    ['php division', 'bug', 'no', fn () => intdiv(7, 0)],
    ['php key', 'bug', 'no', fn () => ['a' => 1]['price']],
    ['php type', 'bug', 'no', fn () => Order::of('abc')],
    ['php method', 'bug', 'no', fn () => (new Order())->sum()],
    ['php json', 'bug', 'no', fn () => json_decode('{oops', false, 4, JSON_THROW_ON_ERROR)],
    ['php date', 'bug', 'no', fn () => new \DateTime('2026-13-45')],
    ['php class missing', 'misconfiguration', 'no', fn () => new \Imagick()],
    ['php function missing', 'misconfiguration', 'no', fn () => bcadd('1', '2')],
    ['php file', 'misconfiguration', 'no', fn () => file_get_contents('/srv/shop/config/rates.json')],
    ['php include', 'misconfiguration', 'no', fn () => require '/srv/shop/config/settings.php'],
    ['php memory', 'overload', 'clears', fn () => throw new \ErrorException('Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)', 0, E_ERROR)],
    ['php curl refused', 'overload', 'clears', fn () => $curl("http://127.0.0.1:{$env('CLOSED')}/price")],
    ['php curl slow', 'overload', 'yes', fn () => $curl("http://127.0.0.1:{$env('UP')}/slow", [CURLOPT_TIMEOUT_MS => 200])],
    ['php curl name', 'misconfiguration', 'no', fn () => $curl('http://prices.invalid/7')],
    ['php curl certificate', 'misconfiguration', 'no', fn () => $curl("https://127.0.0.1:{$env('TLS')}/price")],
    ['php stream refused', 'overload', 'clears', fn () => file_get_contents("http://127.0.0.1:{$env('CLOSED')}/price")],
    ['php stream 503', 'overload', 'yes', fn () => file_get_contents("http://127.0.0.1:{$env('UP')}/503")],
    ['guzzle refused', 'overload', 'clears', fn () => (new \GuzzleHttp\Client())->get("http://127.0.0.1:{$env('CLOSED')}/price")],
    ['guzzle slow', 'overload', 'yes', fn () => (new \GuzzleHttp\Client())->get("http://127.0.0.1:{$env('UP')}/slow", ['timeout' => 0.2])],
    ['guzzle 503', 'overload', 'yes', fn () => (new \GuzzleHttp\Client())->get("http://127.0.0.1:{$env('UP')}/503")],
    ['guzzle 401', 'misconfiguration', 'no', fn () => (new \GuzzleHttp\Client())->get("http://127.0.0.1:{$env('UP')}/401")],
    ['guzzle 429', 'overload', 'yes', fn () => (new \GuzzleHttp\Client())->get("http://127.0.0.1:{$env('UP')}/429")],
    ['pdo pgsql down', 'database', 'clears', fn () => new \PDO("pgsql:host=127.0.0.1;port={$env('CLOSED')};dbname=shop", 'shop')],
    ['pdo pgsql no database', 'misconfiguration', 'no', fn () => new \PDO("pgsql:host=127.0.0.1;port={$env('PG')};dbname=shp", 'shop')],
    ['pdo pgsql no table', 'database', 'no', fn () => $pg()->query('SELECT * FROM orders')],
    ['pdo pgsql syntax', 'bug', 'no', fn () => $pg()->query('SELEC 1')],
    ['pdo pgsql twice', 'bug', 'no', fn () => $pg()->query("INSERT INTO items VALUES (1, 'book', 12)")],
    ['pdo mysql down', 'database', 'clears', fn () => new \PDO("mysql:host=127.0.0.1;port={$env('CLOSED')}", 'shop')],
    ['pdo mysql denied', 'misconfiguration', 'no', fn () => $my('shop', 'nobody', 'x')],
    ['pdo mysql no database', 'misconfiguration', 'no', fn () => $my('shp')],
    ['pdo mysql no table', 'database', 'no', fn () => $my()->query('SELECT * FROM orders')],
    ['mysqli down', 'database', 'clears', function () use ($env) { mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT); return new \mysqli('127.0.0.1', 'shop', '', 'shop', (int) $env('CLOSED')); }],
    ['phpredis down', 'database', 'clears', fn () => (new \Redis())->connect('127.0.0.1', (int) $env('CLOSED'))],
    ['php mongo down', 'database', 'clears', fn () => (new \MongoDB\Driver\Manager("mongodb://127.0.0.1:{$env('CLOSED')}/?serverSelectionTimeoutMS=300"))->executeCommand('shop', new \MongoDB\Driver\Command(['ping' => 1]))],
    ['php xml', 'bug', 'no', fn () => new \SimpleXMLElement('<order><item></order>')],
];
foreach ($cases as [$name, $cause, $transient, $body]) {
    $found = null;
    try {
        $body();
    } catch (\Throwable $error) {
        $found = event($error);
    }
    echo json_encode(['name' => $name, 'cause' => $cause, 'transient' => $transient, 'event' => $found], JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
