// Failures of a Go service, raised by the real runtime and drivers; printed as sentry-go puts them on the wire.
package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v4"
	"github.com/lib/pq"
	_ "github.com/go-sql-driver/mysql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type any_ = map[string]interface{}

func frames(pcs []uintptr) []any_ {
	found, all := []any_{}, runtime.CallersFrames(pcs)
	for {
		at, more := all.Next()
		if !strings.HasPrefix(at.Function, "runtime.") && at.Function != "main.main" {
			dot := strings.LastIndex(at.Function, "/") + 1
			module, function := at.Function, ""
			if i := strings.Index(at.Function[dot:], "."); i >= 0 {
				module, function = at.Function[:dot+i], at.Function[dot+i+1:]
			}
			line := ""
			if text, err := os.ReadFile(at.File); err == nil {
				if lines := strings.Split(string(text), "\n"); at.Line <= len(lines) {
					line = lines[at.Line-1]
				}
			}
			found = append([]any_{{"module": module, "function": function, "abs_path": at.File, "filename": filepath.Base(at.File),
				"lineno": at.Line, "in_app": module == "main", "context_line": line}}, found...)
		}
		if !more {
			return found
		}
	}
}

func event(err error, pcs []uintptr) any_ {
	values := []any_{}
	for e := err; e != nil && len(values) < 10; e = errors.Unwrap(e) {
		values = append([]any_{{"type": reflect.TypeOf(e).String(), "value": e.Error()}}, values...)
	}
	values[len(values)-1]["stacktrace"] = any_{"frames": frames(pcs)}
	return any_{"platform": "go", "sdk": any_{"name": "sentry.go", "version": "0.28.0"}, "exception": any_{"values": values}}
}

func attempt(body func() error) (found any_) {
	pcs := make([]uintptr, 60)
	defer func() {
		if r := recover(); r != nil {
			n := runtime.Callers(2, pcs)
			err, is := r.(error)
			if !is {
				err = errors.New(fmt.Sprint(r))
			}
			found = event(err, pcs[:n])
		}
	}()
	if err := body(); err != nil {
		n := runtime.Callers(1, pcs)
		return event(err, pcs[:n])
	}
	return nil
}

type Order struct{ Lines []int }

func open(driver, dsn, query string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(query)
	return err
}

func main() {
	up, closed := "http://127.0.0.1:"+os.Getenv("UP"), "127.0.0.1:"+os.Getenv("CLOSED")
	pg := "host=127.0.0.1 port=" + os.Getenv("PG") + " user=shop sslmode=disable dbname="
	my := "shop:right@tcp(127.0.0.1:" + os.Getenv("MY") + ")/"
	get := func(url string, wait time.Duration) error {
		client := http.Client{Timeout: wait, Transport: &http.Transport{TLSClientConfig: &tls.Config{}}}
		answer, err := client.Get(url)
		if err == nil && answer.StatusCode >= 400 {
			return fmt.Errorf("prices: unexpected status %s", answer.Status)
		}
		return err
	}
	var nobody *Order
	var orders map[string]int
	var anything interface{} = "7"
	zero, at := 0, 7
	cases := []struct {
		name, cause, transient string
		body                   func() error
	}{
		{"nil pointer", "bug", "no", func() error { return fmt.Errorf("%d", nobody.Lines[0]) }},
		{"nil map", "bug", "no", func() error { orders["a"] = 1; return nil }},
		{"index", "bug", "no", func() error { return fmt.Errorf("%d", []int{1}[at]) }},
		{"divide", "bug", "no", func() error { return fmt.Errorf("%d", 7/zero) }},
		{"assertion", "bug", "no", func() error { return fmt.Errorf("%d", anything.(int)) }},
		{"atoi", "bug", "no", func() error { _, err := strconv.Atoi("abc"); return err }},
		{"json", "bug", "no", func() error { return json.Unmarshal([]byte("{oops"), &Order{}) }},
		{"closed channel", "bug", "no", func() error { c := make(chan int); close(c); close(c); return nil }},
		{"file", "misconfiguration", "no", func() error { _, err := os.Open("/srv/shop/rates.json"); return err }},
		{"program", "misconfiguration", "no", func() error { return exec.Command("wkhtmltopdf").Run() }},
		{"read-only", "misconfiguration", "no", func() error { return os.WriteFile("/proc/shop", nil, 0o600) }},
		{"http refused", "overload", "clears", func() error { return get("http://"+closed, time.Second) }},
		{"http slow", "overload", "yes", func() error { return get(up+"/slow", 200*time.Millisecond) }},
		{"http 503", "overload", "yes", func() error { return get(up+"/503", time.Second) }},
		{"http name", "misconfiguration", "no", func() error { return get("http://prices.invalid/7", time.Second) }},
		{"http certificate", "misconfiguration", "no", func() error { return get("https://127.0.0.1:"+os.Getenv("TLS"), time.Second) }},
		{"http plain", "misconfiguration", "no", func() error { return get("https://127.0.0.1:"+os.Getenv("UP"), time.Second) }},
		{"pq down", "database", "clears", func() error {
			return open("postgres", "host=127.0.0.1 sslmode=disable user=shop port="+os.Getenv("CLOSED"), "select 1")
		}},
		{"pq no table", "database", "no", func() error { return open("postgres", pg+"postgres", "select * from orders") }},
		{"pq twice", "bug", "no", func() error { return open("postgres", pg+"postgres", "insert into items values (1, 'book', 12)") }},
		{"pq no database", "misconfiguration", "no", func() error { return open("postgres", pg+"shp", "select 1") }},
		{"pq slow", "overload", "clears", func() error {
			return open("postgres", pg+"postgres", "set statement_timeout=100; select pg_sleep(2)")
		}},
		{"pq null", "bug", "no", func() error { return open("postgres", pg+"postgres", "insert into items values (77, null, 1)") }},
		{"pgx down", "database", "clears", func() error {
			_, err := pgx.Connect(context.Background(), "host=127.0.0.1 user=shop port="+os.Getenv("CLOSED"))
			return err
		}},
		{"mysql down", "database", "clears", func() error { return open("mysql", "shop@tcp("+closed+")/shop", "select 1") }},
		{"mysql denied", "misconfiguration", "no", func() error {
			return open("mysql", "nobody:x@tcp(127.0.0.1:"+os.Getenv("MY")+")/shop", "select 1")
		}},
		{"mysql no table", "database", "no", func() error { return open("mysql", my+"shop", "select * from orders") }},
		{"sql no rows", "bug", "no", func() error { return fmt.Errorf("order 7: %w", sql.ErrNoRows) }},
		{"sql driver", "misconfiguration", "no", func() error { return open("oracle", "x", "select 1") }},
		{"grpc refused", "overload", "clears", func() error {
			ctx, stop := context.WithTimeout(context.Background(), time.Second)
			defer stop()
			conn, _ := grpc.Dial(closed, grpc.WithInsecure())
			return conn.Invoke(ctx, "/shop.Prices/Get", nil, nil)
		}},
		{"grpc exhausted", "overload", "yes", func() error { return status.Error(codes.ResourceExhausted, "quota of the caller is spent") }},
		{"deadline", "overload", "yes", func() error {
			ctx, stop := context.WithTimeout(context.Background(), time.Millisecond)
			defer stop()
			<-ctx.Done()
			return fmt.Errorf("reserve stock: %w", ctx.Err())
		}},
		{"env", "misconfiguration", "no", func() error { return errors.New("required environment variable PAYMENTS_URL is not set") }},
	}
	_ = pq.ErrSSLNotSupported
	for _, one := range cases {
		line, _ := json.Marshal(any_{"name": "go: " + one.name, "cause": one.cause, "transient": one.transient, "event": attempt(one.body)})
		fmt.Println(string(line))
	}
}
