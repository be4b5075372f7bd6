# Failures of a Ruby service, raised by the real interpreter and gems; printed as sentry-ruby puts them on the wire.
require "json"
require "logger"
require "socket"
require "net/http"
require "openssl"

def env(name) = ENV.fetch(name)

def frames(error)
  (error.backtrace_locations || []).reverse.map do |at|
    path = at.absolute_path || at.path
    own = path == File.expand_path(__FILE__)
    lines = File.file?(path) ? File.readlines(path) : []
    { abs_path: path, filename: own ? "shop.rb" : path.sub(%r{.*/gems/|.*/ruby/(vendor_ruby/|\d[\d.]*/)?}, ""),
      function: at.label, lineno: at.lineno, in_app: own,
      pre_context: lines[[at.lineno - 4, 0].max...at.lineno - 1], context_line: lines[at.lineno - 1] }
  end
end

def event(error)
  chain = []
  while error
    chain.unshift(type: error.class.to_s, value: error.respond_to?(:detailed_message) ? error.detailed_message(highlight: false) : error.message,
                  module: error.class.to_s.split("::")[0...-1].join("::"), stacktrace: { frames: frames(error) })
    error = error.cause
  end
  { platform: "ruby", sdk: { name: "sentry.ruby.rack", version: "5.17.3" }, exception: { values: chain } }
end

Order = Struct.new(:id, :lines)
$cases = []
def failing(name, cause, transient, &body) = $cases << [name, cause, transient, body]

failing("ruby nil", "bug", "no") { order = nil; order.lines }
failing("ruby division", "bug", "no") { 7 / 0 }
failing("ruby type", "bug", "no") { 7 + "7" }
failing("ruby integer", "bug", "no") { Integer("abc") }
failing("ruby key", "bug", "no") { { "a" => 1 }.fetch("price") }
failing("ruby arguments", "bug", "no") { Order.new(1, 2, 3) }
failing("ruby recursion", "bug", "no") { def walk(n) = walk(n + 1); walk(0) }
failing("ruby frozen", "bug", "no") { "abc".freeze << "d" }
failing("ruby json", "bug", "no") { JSON.parse("{oops") }
failing("ruby env", "misconfiguration", "no") { ENV.fetch("PAYMENTS_URL") }
failing("ruby gem missing", "misconfiguration", "no") { require "stripe" }
failing("ruby file", "misconfiguration", "no") { File.read("/srv/shop/config/rates.yml") }
failing("ruby rights", "misconfiguration", "no") { Process::Sys.setuid(65534); File.read("/etc/shadow") }
failing("ruby program", "misconfiguration", "no") { IO.popen(["wkhtmltopdf", "a", "b"]) }
failing("ruby upstream down", "overload", "clears") { Net::HTTP.get(URI("http://127.0.0.1:#{env('CLOSED')}/price")) }
failing("ruby upstream slow", "overload", "yes") do
  http = Net::HTTP.new("127.0.0.1", env("UP").to_i)
  http.read_timeout = 0.3
  http.max_retries = 0
  http.get("/slow")
end
failing("ruby upstream name", "misconfiguration", "no") { Net::HTTP.get(URI("http://prices.invalid/7")) }
failing("ruby plain port", "misconfiguration", "no") do
  http = Net::HTTP.new("127.0.0.1", env("UP").to_i)
  http.use_ssl = true
  http.get("/price")
end
failing("ruby deadline", "overload", "clears") { require "timeout"; Timeout.timeout(0.1) { sleep 1 } }
failing("ruby self-signed", "misconfiguration", "no") do
  http = Net::HTTP.new("127.0.0.1", env("TLS").to_i)
  http.use_ssl = true
  http.get("/price")
end
failing("faraday down", "overload", "clears") { require "faraday"; Faraday.get("http://127.0.0.1:#{env('CLOSED')}/price") }
failing("faraday 503", "overload", "yes") do
  require "faraday"
  Faraday.new("http://127.0.0.1:#{env('UP')}") { |f| f.response :raise_error }.get("/503")
end
failing("faraday 401", "misconfiguration", "no") do
  require "faraday"
  Faraday.new("http://127.0.0.1:#{env('UP')}") { |f| f.response :raise_error }.get("/401")
end
def pg(more = {}) = (require "pg"; PG.connect({ host: "127.0.0.1", port: env("PG"), user: "shop", dbname: "postgres" }.merge(more)))
failing("pg down", "database", "clears") { pg(port: env("CLOSED")) }
failing("pg no database", "misconfiguration", "no") { pg(dbname: "shp") }
failing("pg no role", "misconfiguration", "no") { pg(user: "nobody_here") }
failing("pg no table", "database", "no") { pg.exec("SELECT * FROM orders") }
failing("pg twice", "bug", "no") { pg.exec("INSERT INTO items VALUES (1, 'book', 12)") }
failing("pg slow", "overload", "clears") { pg.exec("SET statement_timeout = 100; SELECT pg_sleep(2)") }
failing("redis down", "database", "clears") { require "redis"; Redis.new(port: env("CLOSED").to_i, reconnect_attempts: 0).get("price") }
failing("redis type", "bug", "no") do
  require "redis"
  redis = Redis.new(port: env("RD").to_i)
  redis.set("price", "7")
  redis.lpush("price", "8")
end
failing("mysql down", "database", "clears") { require "mysql2"; Mysql2::Client.new(host: "127.0.0.1", port: env("CLOSED").to_i, username: "shop") }
failing("mysql denied", "misconfiguration", "no") { require "mysql2"; Mysql2::Client.new(host: "127.0.0.1", port: env("MY").to_i, username: "nobody", password: "x") }
failing("mysql no column", "database", "no") do
  require "mysql2"
  Mysql2::Client.new(host: "127.0.0.1", port: env("MY").to_i, username: "shop", password: "right", database: "shop").query("SELECT discount FROM information_schema.tables")
end
failing("sequel pool", "overload", "clears") do
  require "sequel"
  db = Sequel.sqlite(max_connections: 1, pool_timeout: 0)
  db.synchronize { Thread.new { db.synchronize { 1 } }.tap { |t| t.report_on_exception = false }.value }
end
failing("activerecord down", "database", "clears") do
  require "active_record"
  ActiveRecord::Base.establish_connection(adapter: "postgresql", host: "127.0.0.1", port: env("CLOSED").to_i, database: "shop")
  ActiveRecord::Base.connection.execute("SELECT 1")
end
failing("activerecord twice", "bug", "no") do
  require "active_record"
  ActiveRecord::Base.establish_connection(adapter: "postgresql", host: "127.0.0.1", port: env("PG").to_i, database: "postgres", username: "shop")
  ActiveRecord::Base.connection.execute("INSERT INTO items VALUES (1, 'book', 12)")
end
failing("bunny down", "database", "clears") { require "bunny"; Bunny.new(host: "127.0.0.1", port: env("CLOSED").to_i, recover_from_connection_close: false, automatically_recover: false, logger: Logger.new(File::NULL)).start }
failing("dalli down", "database", "clears") { require "dalli"; Dalli.logger = Logger.new(File::NULL); Dalli::Client.new("127.0.0.1:#{env('CLOSED')}").get("price") }
failing("jwt expired", "bug", "no") { require "jwt"; JWT.decode(JWT.encode({ exp: 1 }, "k" * 32), "k" * 32) }

$cases.each do |name, cause, transient, body|
  reading, writing = IO.pipe
  child = fork do # one that gives up its rights, and libraries that patch others, must not spoil the next
    begin
      body.call
      found = nil
    rescue Exception => error
      found = event(error)
    end
    writing.puts JSON.generate({ name: name, cause: cause, transient: transient, event: found })
    writing.close
    exit!(0)
  end
  writing.close
  puts reading.read
  Process.wait(child)
end
