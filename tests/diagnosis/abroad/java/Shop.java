// Failures of a Java service, raised by the real virtual machine and drivers; printed as sentry-java puts them on the wire.
package com.shop;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.net.URI;
import java.net.URL;
import java.net.HttpURLConnection;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

public class Shop {
    interface Body { void run() throws Throwable; }

    static final String up = "http://127.0.0.1:" + System.getenv("UP"), closed = System.getenv("CLOSED");

    static String quoted(String text) {
        if (text == null) return "null";
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    static String event(Throwable error) {
        List<String> values = new ArrayList<>();
        for (Throwable e = error; e != null && values.size() < 10; e = e.getCause()) {
            List<String> frames = new ArrayList<>();
            for (StackTraceElement at : e.getStackTrace()) {
                frames.add(0, "{\"module\":" + quoted(at.getClassName()) + ",\"function\":" + quoted(at.getMethodName()) + ",\"filename\":"
                    + quoted(at.getFileName()) + ",\"lineno\":" + at.getLineNumber() + ",\"in_app\":" + at.getClassName().startsWith("com.shop") + "}");
            }
            String name = e.getClass().getName();
            int dot = name.lastIndexOf('.');
            values.add(0, "{\"type\":" + quoted(name.substring(dot + 1)) + ",\"module\":" + quoted(dot < 0 ? null : name.substring(0, dot)) + ",\"value\":"
                + quoted(e.getMessage()) + ",\"stacktrace\":{\"frames\":[" + String.join(",", frames) + "]}}");
        }
        return "{\"platform\":\"java\",\"sdk\":{\"name\":\"sentry.java\",\"version\":\"7.14.0\"},\"exception\":{\"values\":[" + String.join(",", values) + "]}}";
    }

    static void failing(String name, String cause, String transientIs, Body body) {
        String found = "null";
        try { body.run(); } catch (Throwable error) { found = event(error); }
        System.out.println("{\"name\":" + quoted("java: " + name) + ",\"cause\":\"" + cause + "\",\"transient\":\"" + transientIs + "\",\"event\":" + found + "}");
    }

    static void get(String url, int millis) throws Exception {
        HttpURLConnection to = (HttpURLConnection) new URL(url).openConnection();
        to.setConnectTimeout(millis);
        to.setReadTimeout(millis);
        to.getInputStream();
    }

    static void query(String url, String user, String sql) throws Exception {
        try (Connection to = DriverManager.getConnection(url, user, user.equals("shop") ? "right" : "x")) { to.createStatement().execute(sql); }
    }

    static int walk(int n) { return walk(n + 1) + 1; }

    public static void main(String[] arguments) {
        String pg = "jdbc:postgresql://127.0.0.1:" + System.getenv("PG") + "/", my = "jdbc:mariadb://127.0.0.1:" + System.getenv("MY") + "/";
        failing("null", "bug", "no", () -> { Map<String, String> m = Map.of(); m.get("price").length(); });
        failing("cast", "bug", "no", () -> { Object o = "7"; System.err.print((Integer) o); });
        failing("index", "bug", "no", () -> List.of(1).get(7));
        failing("number", "bug", "no", () -> Integer.parseInt("abc"));
        failing("divide", "bug", "no", () -> { int zero = 0; System.err.print(7 / zero); });
        failing("optional", "bug", "no", () -> Optional.empty().get());
        failing("date", "bug", "no", () -> LocalDate.parse("2026-13-45"));
        failing("recursion", "bug", "no", () -> walk(0));
        failing("concurrent", "bug", "yes", () -> { List<Integer> l = new ArrayList<>(List.of(1, 2, 3)); for (Integer i : l) l.remove(i); });
        failing("immutable", "bug", "no", () -> List.of(1).add(2));
        failing("class", "misconfiguration", "no", () -> Class.forName("com.stripe.Stripe"));
        failing("file", "misconfiguration", "no", () -> Files.readString(Path.of("/srv/shop/rates.json")));
        failing("old file", "misconfiguration", "no", () -> new java.io.FileInputStream("/srv/shop/rates.json"));
        failing("program", "misconfiguration", "no", () -> new ProcessBuilder("wkhtmltopdf").start());
        failing("env", "misconfiguration", "no", () -> System.getenv("PAYMENTS_URL").length());
        failing("heap", "overload", "clears", () -> System.err.print(new long[Integer.MAX_VALUE - 8].length));
        failing("refused", "overload", "clears", () -> get("http://127.0.0.1:" + closed, 500));
        failing("slow", "overload", "yes", () -> get(up + "/slow", 300));
        failing("503", "overload", "yes", () -> get(up + "/503", 500));
        failing("401", "misconfiguration", "no", () -> get(up + "/401", 500));
        failing("name", "misconfiguration", "no", () -> get("http://prices.invalid/7", 500));
        failing("certificate", "misconfiguration", "no", () -> get("https://127.0.0.1:" + System.getenv("TLS"), 500));
        failing("plain", "misconfiguration", "no", () -> get("https://127.0.0.1:" + System.getenv("UP"), 500));
        failing("new client refused", "overload", "clears", () -> HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + closed)).build(), HttpResponse.BodyHandlers.ofString()));
        failing("new client slow", "overload", "yes", () -> HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(up + "/slow")).timeout(Duration.ofMillis(200)).build(), HttpResponse.BodyHandlers.ofString()));
        failing("future", "bug", "no", () -> CompletableFuture.supplyAsync(() -> Integer.parseInt("abc")).join());
        failing("future wait", "overload", "clears", () -> new CompletableFuture<String>().get(100, TimeUnit.MILLISECONDS));
        failing("rejected", "overload", "clears", () -> {
            ThreadPoolExecutor pool = new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, new ArrayBlockingQueue<>(1));
            try { for (int i = 0; i < 9; i++) pool.submit(() -> { Thread.sleep(300); return 1; }); } finally { pool.shutdownNow(); }
        });
        failing("jdbc down", "database", "clears", () -> query("jdbc:postgresql://127.0.0.1:" + closed + "/shop", "shop", "select 1"));
        failing("jdbc no database", "misconfiguration", "no", () -> query(pg + "shp", "shop", "select 1"));
        failing("jdbc no table", "database", "no", () -> query(pg + "postgres", "shop", "select * from orders"));
        failing("jdbc twice", "bug", "no", () -> query(pg + "postgres", "shop", "insert into items values (1, 'book', 12)"));
        failing("jdbc slow", "overload", "clears", () -> query(pg + "postgres", "shop", "set statement_timeout=100; select pg_sleep(2)"));
        failing("jdbc driver", "misconfiguration", "no", () -> query("jdbc:oracle:thin:@127.0.0.1:1/x", "shop", "select 1"));
        failing("mariadb down", "database", "clears", () -> query("jdbc:mariadb://127.0.0.1:" + closed + "/shop", "shop", "select 1"));
        failing("mariadb denied", "misconfiguration", "no", () -> query(my + "shop", "nobody", "select 1"));
        failing("mariadb no table", "database", "no", () -> query(my + "shop", "shop", "select * from orders"));
        failing("hikari full", "overload", "clears", () -> {
            HikariConfig c = new HikariConfig();
            c.setJdbcUrl(pg + "postgres");
            c.setUsername("shop");
            c.setMaximumPoolSize(1);
            c.setConnectionTimeout(300);
            try (HikariDataSource pool = new HikariDataSource(c); Connection one = pool.getConnection()) { pool.getConnection(); }
        });
        System.exit(0);
    }
}
