// Failures of a Node service, raised by the real runtime and packages, and sent through @sentry/node's own pipeline.
const Sentry = require("@sentry/node");
const env = process.env;
let last = null;
Sentry.init({
  dsn: "http://key@127.0.0.1:9/1",
  maxBreadcrumbs: 0, // else each printed line stands in the next event
  transport: () => ({ send: async () => ({}), flush: async () => true }),
  beforeSend(event) { last = event; return null; },
  integrations: (all) => all.filter((one) => one.name !== "Dedupe"),
});
const up = `http://127.0.0.1:${env.UP}`, closed = `http://127.0.0.1:${env.CLOSED}`;
const pg = async (more, sql) => { const { Client } = require("pg"); const c = new Client({ host: "127.0.0.1", port: env.PG, user: "shop", database: "postgres", ...more }); await c.connect(); try { return await c.query(sql ?? "SELECT 1"); } finally { await c.end(); } };
const my = async (more, sql) => { const c = await require("mysql2/promise").createConnection({ host: "127.0.0.1", port: env.MY, user: "shop", password: "right", database: "shop", ...more }); try { return await c.query(sql ?? "SELECT 1"); } finally { await c.end(); } };
const cases = [
  ["node undefined", "bug", "no", () => { const order = undefined; return order.total; }],
  ["node call", "bug", "no", () => { const order = {}; return order.total(); }],
  ["node reference", "bug", "no", () => totl + 1],
  ["node json", "bug", "no", () => JSON.parse("{oops")],
  ["node range", "bug", "no", () => new Array(-1)],
  ["node recursion", "bug", "no", () => { const walk = () => walk(); walk(); }],
  ["node circular", "bug", "no", () => { const a = {}; a.a = a; return JSON.stringify(a); }],
  ["node env", "misconfiguration", "no", () => process.env.PAYMENTS_URL.split(",")],
  ["node module", "misconfiguration", "no", () => require("stripe")],
  ["node file", "misconfiguration", "no", () => require("fs").readFileSync("/srv/shop/rates.json")],
  ["node program", "misconfiguration", "no", () => new Promise((_, no) => require("child_process").spawn("wkhtmltopdf").on("error", no))],
  ["node exec", "misconfiguration", "no", () => require("child_process").execFileSync("/etc/hostname")],
  ["fetch refused", "overload", "clears", () => fetch(closed)],
  ["fetch name", "misconfiguration", "no", () => fetch("http://prices.invalid/7")],
  ["fetch slow", "overload", "yes", () => fetch(`${up}/slow`, { signal: AbortSignal.timeout(200) })],
  ["fetch self-signed", "misconfiguration", "no", () => fetch(`https://127.0.0.1:${env.TLS}/`)],
  ["axios refused", "overload", "clears", () => require("axios").get(closed)],
  ["axios 503", "overload", "yes", () => require("axios").get(`${up}/503`)],
  ["axios 401", "misconfiguration", "no", () => require("axios").get(`${up}/401`)],
  ["axios slow", "overload", "yes", () => require("axios").get(`${up}/slow`, { timeout: 200 })],
  ["undici headers", "overload", "yes", () => require("undici").request(`${up}/slow`, { headersTimeout: 200 })],
  ["pg down", "database", "clears", () => pg({ port: env.CLOSED })],
  ["pg no database", "misconfiguration", "no", () => pg({ database: "shp" })],
  ["pg no column", "database", "no", () => pg({}, "SELECT discount FROM items")],
  ["pg twice", "bug", "no", () => pg({}, "INSERT INTO items VALUES (1, 'book', 12)")],
  ["pg slow", "overload", "clears", () => pg({ statement_timeout: 100 }, "SELECT pg_sleep(2)")],
  ["pg syntax", "bug", "no", () => pg({}, "SELEC 1")],
  ["pg pool", "overload", "clears", async () => { const pool = new (require("pg").Pool)({ host: "127.0.0.1", port: env.PG, user: "shop", database: "postgres", max: 1, connectionTimeoutMillis: 100 }); const one = await pool.connect(); try { await pool.connect(); } finally { one.release(); await pool.end(); } }],
  ["mysql2 down", "database", "clears", () => my({ port: env.CLOSED })],
  ["mysql2 denied", "misconfiguration", "no", () => my({ user: "nobody", password: "x" })],
  ["mysql2 no table", "database", "no", () => my({}, "SELECT * FROM orders")],
  ["ioredis down", "database", "clears", async () => { const r = new (require("ioredis"))({ port: env.CLOSED, maxRetriesPerRequest: 0, retryStrategy: () => null, lazyConnect: true }); r.on("error", () => {}); await r.get("price"); }],
  ["ioredis type", "bug", "no", async () => { const r = new (require("ioredis"))({ port: env.RD }); try { await r.set("p", "7"); await r.lpush("p", "8"); } finally { r.disconnect(); } }],
  ["mongoose down", "database", "clears", () => require("mongoose").connect(`mongodb://127.0.0.1:${env.CLOSED}/shop`, { serverSelectionTimeoutMS: 300 })],
  ["mongoose validation", "bug", "no", () => { const m = require("mongoose"); const O = m.model("Order", new m.Schema({ total: { type: Number, required: true } })); return new O({}).validate(); }],
  ["sequelize down", "database", "clears", () => new (require("sequelize").Sequelize)(`mysql://shop@127.0.0.1:${env.CLOSED}/shop`, { logging: false }).authenticate()],
  ["sequelize no table", "database", "no", () => new (require("sequelize").Sequelize)(`postgres://shop@127.0.0.1:${env.PG}/postgres`, { logging: false }).query("SELECT * FROM orders")],
  ["amqplib down", "database", "clears", () => require("amqplib").connect(`amqp://127.0.0.1:${env.CLOSED}`)],
  ["kafkajs down", "database", "clears", async () => { const { Kafka } = require("kafkajs"); const p = new Kafka({ brokers: [`127.0.0.1:${env.CLOSED}`], logLevel: 0, retry: { retries: 0 } }).producer(); await p.connect(); }],
  ["ejs variable", "bug", "no", () => require("ejs").render("<%= totl %>", {})],
  ["jsonwebtoken forged", "security", "no", () => require("jsonwebtoken").verify(require("jsonwebtoken").sign({ a: 1 }, "other"), "ours")],
];
(async () => {
  for (const [name, cause, transient, body] of cases) {
    last = null;
    try { await body(); } catch (error) { Sentry.captureException(error); }
    await new Promise((go) => setTimeout(go, 30));
    const event = last && { platform: last.platform, sdk: { name: last.sdk?.name ?? "sentry.javascript.node" }, exception: last.exception };
    process.stdout.write(JSON.stringify({ name: `node: ${name}`, cause, transient, event }) + "\n");
  }
  process.exit(0);
})();
process.on("uncaughtException", () => {});
