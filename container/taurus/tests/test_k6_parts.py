"""k6's parts without k6: its load, its arguments, and the reader of its samples."""

import csv
import io
import logging
import random
import tempfile
import unittest
from pathlib import Path

from volley_worker.k6 import arguments, load
from volley_worker.k6.reader import Reader

CRD = Path(__file__).resolve().parents[3] / "crds" / "loadtests.volley.dev.yaml"
COLUMNS = (
    *("metric_name", "timestamp", "metric_value", "check", "error", "error_code", "expected_response"),
    *("group", "method", "name", "proto", "scenario", "status", "extra_tags", "metadata"),
)
METRICS = ("reqs", "duration", "blocked", "connecting", "tls_handshaking", "sending", "waiting", "receiving", "failed")


class TheLoad(unittest.TestCase):
    def test_ramp_up_and_hold_add_up_and_the_first_user_starts_at_once(self) -> None:
        made = load.environment(users=10, ramp_up=5, hold=30, iterations=0)
        self.assertEqual((made["K6_VUS"], made["K6_STAGES"]), ("1", "5000ms:10,30000ms:10"))
        self.assertNotIn("K6_DURATION", made)

    def test_without_a_ramp_up_all_users_start_at_once(self) -> None:
        made = load.environment(users=10, ramp_up=0, hold=0.5, iterations=0)
        self.assertEqual((made["K6_VUS"], made["K6_DURATION"]), ("10", "500ms"))
        self.assertNotIn("K6_STAGES", made)

    def test_iterations_are_those_of_each_user_and_bounded_by_the_time(self) -> None:
        made = load.environment(users=3, ramp_up=0, hold=60, iterations=7)
        self.assertEqual((made["K6_VUS"], made["K6_ITERATIONS"], made["K6_DURATION"]), ("3", "21", "60000ms"))
        self.assertNotIn("K6_DURATION", load.environment(3, 0, 0, 7))

    def test_what_k6_cannot_do_is_an_error(self) -> None:
        with self.assertRaisesRegex(load.Impossible, "ramp-up"):
            load.environment(users=3, ramp_up=1, hold=60, iterations=7)


class TheArguments(unittest.TestCase):
    def test_options_in_one_piece_are_taken(self) -> None:
        given = ["--env=HOST=a b", "--tag=team=x", "--rps=50", "--throw", "--insecure-skip-tls-verify"]
        self.assertEqual(arguments.of({"arguments": given}, {"cmdline": "--no-setup"}), [*given, "--no-setup"])
        self.assertEqual(arguments.of({}, {}), [])

    def test_what_would_change_load_or_outputs_is_refused_by_name(self) -> None:
        for argument in (
            *("--vus=3", "-u", "--duration=1s", "--stage=1s:1", "--iterations=1", "--execution-segment=0:1/2", "--paused"),
            *("--out=json=x", "-o", "--system-tags=name", "--summary-export=x", "--console-output=/x", "--log-output=file=/x"),
            *("--address=:6565", "--config=x", "--linger", "--type=archive", "--secret-source=file=/x", "--local-ips=10.0.0.1"),
            *("--env", "HOST=x", "script.js", "", "--throw=false", "--env=", "--env=A=b\nc", "--rps=1\n"),
        ):
            with self.subTest(argument=argument), self.assertRaisesRegex(arguments.NotAllowed, "such as --env=HOST"):
                arguments.allowed([argument])
        with self.assertRaisesRegex(arguments.NotAllowed, "--vus"):
            arguments.of({}, {"cmdline": "--throw --vus 3"})
        with self.assertRaisesRegex(arguments.NotAllowed, "list"):
            arguments.of({"arguments": "--throw"}, {})

    def test_the_schema_of_the_api_allows_the_same(self) -> None:
        self.assertTrue(f'self.matches(r"{arguments.PATTERN}")' in CRD.read_text(), f"{CRD} does not have {arguments.PATTERN}")


def rows_of(source: random.Random, requests: int) -> tuple[str, list[tuple]]:
    """A sample file as k6 writes it, and what it says: second, label, users, seconds, code, error."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(COLUMNS)
    expected, users = [], 0

    def row(metric: str, second: int, value: float, **tags: str) -> None:
        filled = {"metric_name": metric, "timestamp": second * 1000 + 999, "metric_value": f"{value:.6f}", **tags}
        writer.writerow([filled.get(column, "") for column in COLUMNS])

    for number in range(requests):
        second = 1_795_578_724 + number // 7 - source.randrange(2)
        if source.random() < 0.2:
            users = source.randrange(1, 9)
            row("vus", second, users)
            row("vus_max", second, 9)
        name = source.choice(["home", 'say "hello", please', "two\nlines", "ä😀", ""])
        code, error = source.choice([("200", ""), ("500", ""), ("0", "dial: connection refused, at last")])
        tags = {"name": name, "status": code, "error": error, "expected_response": "true" if code == "200" else "false"}
        values = {metric: source.randrange(1, 9_000_000) / 1000 for metric in METRICS}
        for metric in METRICS:
            row(f"http_req_{metric}" if metric != "reqs" else "http_reqs", second, 1 if metric == "reqs" else values[metric], **tags)
        row("checks", second, 1, check="is, well, fine")
        row("iterations", second, 1)
        words = error or (None if code == "200" else f"Response code: {code}")
        expected.append((second, name, users, values["duration"] / 1000, code, words))
        row("data_received", second, number)
    return output.getvalue(), expected


class TheReader(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "kpi.csv")

    def read(self, pieces: list[bytes]) -> list[tuple]:
        """What the reader makes of a file that grows by these pieces."""
        reader, found = Reader(str(self.path), logging.getLogger("test")), []
        with self.path.open("wb", buffering=0) as file:
            for piece in pieces:
                file.write(piece)
                found += reader._read(False)
            found += reader._read(True)
        self.assertEqual({sample[9] for sample in found} | {0}, {0})
        return [(*sample[:4], sample[6], sample[7]) for sample in found]

    def test_wherever_a_read_ends_the_samples_are_those_of_the_file(self) -> None:
        source = random.Random(11)
        for requests in (0, 1, 40):
            text, expected = rows_of(source, requests)
            content = text.encode()
            for _ in range(25):
                cuts = sorted(source.choices(range(len(content) + 1), k=source.randrange(0, 12)))
                pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
                self.assertEqual(self.read(pieces), expected)

    def test_a_row_that_is_cut_off_for_ever_is_left_out(self) -> None:
        text, expected = rows_of(random.Random(3), 3)
        content = text.encode()
        self.assertEqual(self.read([content[: content.rindex(b"http_reqs,") + 20]]), expected[:2])

    def test_columns_are_found_by_name(self) -> None:
        head = "metric_name,status,name,metric_value,timestamp\n"
        found = self.read([(head + "http_reqs,200,home,1,7001\nhttp_req_duration,200,home,12.5,7001\n").encode()])
        self.assertEqual(found, [(7, "home", 0, 0.0125, "200", None)])

    def test_a_grpc_call_is_a_request_of_one_row(self) -> None:
        head = "metric_name,timestamp,metric_value,name,status\n"
        rows = "grpc_req_duration,7001,12.5,/shop.Basket/Add,0\ngrpc_req_duration,7002,0.5,/shop.Basket/Add,5\n"
        found = self.read([(head + rows).encode()])
        good, bad = (7, "/shop.Basket/Add", 0, 0.0125, "0", None), (7, "/shop.Basket/Add", 0, 0.0005, "5", "gRPC status 5")
        self.assertEqual(found, [good, bad])

    def test_where_the_script_has_turned_off_k6s_judgement_the_status_judges(self) -> None:
        head = "metric_name,timestamp,metric_value,error,error_code,expected_response,name,status\n"
        cases = [
            (",,,a,200", None),
            (",1404,,a,404", "Response code: 404"),
            (",1404,true,a,404", None),
            (",,false,a,200", "Response code: 200"),
            ("timeout,1050,,a,0", "timeout"),
        ]
        for tags, error in cases:
            with self.subTest(tags=tags):
                self.assertEqual(self.read([f"{head}http_reqs,7001,1,{tags}\n".encode()])[0][5], error)


if __name__ == "__main__":
    unittest.main()
