package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	recorder := httptest.NewRecorder()
	newTarget().handler().ServeHTTP(recorder, request)
	answer, err := io.ReadAll(recorder.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return recorder.Code, string(answer)
}

func TestEachPathAnswersAsItSays(t *testing.T) {
	cases := []struct {
		method, path, body string
		code               int
		answer             string
	}{
		{"GET", "/", "", 200, "ok\n"},
		{"GET", "/healthz", "", 200, "ok\n"},
		{"GET", "/nothing", "", 404, "404 page not found\n"},
		{"POST", "/checkout", `{"cart":1}`, 201, "{\"order_id\":\"order-1\"}\n"},
		{"GET", "/checkout", "", 405, "Method Not Allowed\n"},
		{"GET", "/status/404", "", 404, "404 Not Found\n"},
		{"POST", "/status/503", "x", 503, "503 Service Unavailable\n"},
		{"GET", "/status/204", "", 204, ""},
		{"GET", "/status/99", "", 400, "the code must be a number from 200 to 599\n"},
		{"GET", "/bytes?n=5", "", 200, "abcde"},
		{"GET", "/bytes?n=10485761", "", 400, "n must be a number from 0 to 10485760\n"},
		{"GET", "/slow?ms=-1", "", 400, "ms must be a number from 0 to 60000\n"},
		{"GET", "/slow?ms=x", "", 400, "ms must be a number from 0 to 60000\n"},
	}
	for _, c := range cases {
		code, answer := ask(t, c.method, c.path, c.body)
		if code != c.code || answer != c.answer {
			t.Errorf("%s %s: got %d %q, want %d %q", c.method, c.path, code, answer, c.code, c.answer)
		}
	}
}

func TestSlowTakesItsTime(t *testing.T) {
	began := time.Now()
	code, _ := ask(t, "GET", "/slow?ms=50", "")
	if took := time.Since(began); code != http.StatusOK || took < 50*time.Millisecond {
		t.Errorf("got %d after %s, want 200 after at least 50ms", code, took)
	}
}

func TestAnOrderAboveTheLimitIsRefused(t *testing.T) {
	code, _ := ask(t, "POST", "/checkout", strings.Repeat("x", 1<<20+1))
	if code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", code)
	}
}
