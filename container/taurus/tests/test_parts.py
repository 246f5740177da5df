"""Output, processes, workspace, versions and the forced configuration against Taurus' own merge."""

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import unittest.mock
from pathlib import Path

from bzt.cli import CLI, get_option_parser
from bzt.modules.aggregator import ConsolidatingAggregator, ResultsReader

from volley_worker import configuration, processes, sample_stream, space, workspace
from volley_worker.checks import bounded, jmeter
from volley_worker.folders import Folders, read_versions
from volley_worker.launcher import has_samples
from volley_worker.output import Output

TAURUS = Path(__file__).resolve().parent.parent
VERSIONS = TAURUS.parent / "versions.env"


class Temporary(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()


class TheLog(Temporary):
    def test_it_is_cut_at_its_limit_with_a_note_while_the_copy_goes_on(self) -> None:
        read, write = os.pipe()
        output = Output(self.folder / "log", write, limit=100)
        for number in range(50):
            output.take(b"line %02d\n" % number)
        output.close()
        os.close(write)
        self.assertEqual(os.read(read, 65536).count(b"\n"), 50)
        os.close(read)
        log = (self.folder / "log").read_text()
        self.assertTrue(log.startswith("line 00\n"))
        self.assertEqual(log.count("the log is cut here, after 100 bytes"), 1)
        self.assertLess(len(log), 200)

    def test_lines_are_found_across_pieces_and_bad_bytes_do_no_harm(self) -> None:
        output = Output(self.folder / "log", None)
        for piece in (b"10:00:00 WARN", b"ING: a\nShutting", b" down", b"...\n\xff\xfe\npartial"):
            output.take(piece)
        self.assertTrue(output.shutting_down)
        output.close()
        self.assertEqual(list(output.lines), ["10:00:00 WARNING: a", "Shutting down...", "\ufffd\ufffd", "partial"])

    def test_a_line_without_an_end_does_not_grow_in_memory(self) -> None:
        output = Output(self.folder / "log", None, limit=10)
        for _ in range(100):
            output.take(b"x" * 65536)
        output.close()
        self.assertLessEqual(len(output.lines[-1]), 2000)

    def test_a_reader_that_has_gone_does_not_end_the_log(self) -> None:
        read, write = os.pipe()
        os.close(read)
        output = Output(self.folder / "log", write)
        output.take(b"one\n")
        output.take(b"two\n")
        output.close()
        os.close(write)
        self.assertEqual((self.folder / "log").read_text(), "one\ntwo\n")


class Processes(Temporary):
    def test_orphans_in_groups_of_their_own_are_adopted_and_ended(self) -> None:
        code = textwrap.dedent(
            """
            import subprocess, sys, time
            from volley_worker import processes
            processes.adopt_orphans()
            reaper = processes.Reaper()
            # A parent that ends at once and leaves a child that ignores SIGTERM, in a session of its own.
            child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
            parent = (
                "import subprocess, sys; "
                "p = subprocess.Popen([sys.executable, '-c', %r], start_new_session=True, stdout=subprocess.PIPE); "
                "p.stdout.readline()" % child
            )
            started = subprocess.Popen([sys.executable, "-c", parent])
            while reaper.exit_code(started.pid) is None:
                reaper.reap(); time.sleep(0.02)
            print(len(processes.descendants()), processes.end_all(reaper, 0.3), len(processes.descendants()))
            """
        )
        result = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(TAURUS)}, capture_output=True, text=True, timeout=30
        )
        self.assertEqual(result.stdout.strip(), "1 1 0", result.stderr)

    def test_a_process_killed_by_a_signal_has_the_shells_code(self) -> None:
        pid = os.posix_spawn("/bin/sleep", ["sleep", "30"], os.environ)
        os.kill(pid, signal.SIGKILL)
        reaper = processes.Reaper()
        for _ in range(100):
            reaper.reap()
            if reaper.exit_code(pid) is not None:
                break
            time.sleep(0.02)
        self.assertEqual(reaper.exit_code(pid), 137)

    def test_a_check_that_hangs_is_ended_with_what_it_started(self) -> None:
        mark = f"sleep 61.{os.getpid()}"
        began = time.monotonic()
        result = bounded.run(["/bin/sh", "-c", f"echo begun; {mark} & {mark}"], dict(os.environ), self.folder, 0.5)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual((result.code, result.output), (None, "begun\n"))
        self.assertEqual(subprocess.run(["pgrep", "-f", f"^{mark}"], capture_output=True, check=False).stdout, b"")

    def test_a_check_is_left_when_a_stop_comes(self) -> None:
        with self.assertRaises(bounded.Abandoned):
            bounded.run(["/bin/sleep", "30"], dict(os.environ), self.folder, 20, lambda: True)

    def test_only_the_end_of_a_flood_of_output_is_kept(self) -> None:
        result = bounded.run(["/bin/sh", "-c", "seq 1 400000"], dict(os.environ), self.folder, 30)
        self.assertEqual(result.code, 0)
        self.assertTrue(result.output.endswith("\n400000\n"))
        self.assertLessEqual(len(result.output), bounded.KEPT_OUTPUT)


class TheWorkspace(Temporary):
    def test_small_files_are_writable_copies_and_large_ones_links(self) -> None:
        source, target = self.folder / "source", self.folder / "target"
        (source / "deep").mkdir(parents=True)
        (source / "a.jmx").write_text("plan")
        (source / "deep" / "users.csv").write_text("x" * 50)
        (source / "a.jmx").chmod(0o444)
        workspace.lay(source, target, linked_from=50)
        self.assertTrue(os.access(target / "a.jmx", os.W_OK))
        self.assertFalse((target / "a.jmx").is_symlink())
        self.assertEqual(os.readlink(target / "deep" / "users.csv"), str(source / "deep" / "users.csv"))


class Samples(Temporary):
    def test_a_header_alone_is_no_sample_and_neither_is_half_a_row(self) -> None:
        file = self.folder / "kpi.jtl"
        for content, expected in (("", False), ("a,b\n", False), ("a,b\n1,", False), ("a,b\n1,2\n", True)):
            file.write_text(content)
            with self.subTest(content=content):
                self.assertEqual(has_samples(self.folder), expected)

    def test_only_a_row_of_a_request_is_a_sample_of_k6(self) -> None:
        file = self.folder / "kpi.csv"
        head = "metric_name,timestamp\nvus,1\nhttp_req_failed,1\n"
        for content, expected in ((head, False), (head + "http_reqs,1", False), (head + "http_reqs,1\n", True)):
            file.write_text(content)
            with self.subTest(content=content):
                self.assertEqual(has_samples(self.folder), expected)

    def test_only_a_finished_scenario_is_a_sample_of_molotov(self) -> None:
        file = self.folder / "molotov-report.ldjson"
        head = '{"ts": 1.5, "type": "workers", "value": 0}\n{"ts": 1.5, "type": "request", "label": "a"}\n'
        row = '{"ts": 1.5, "wid": "w", "type": "scenario_success", "name": "a"}'
        for content, expected in ((head, False), (head + row, False), (head + row + "\n", True)):
            file.write_text(content)
            with self.subTest(content=content):
                self.assertEqual(has_samples(self.folder), expected)


class TheSampleStream(Temporary):
    """With Taurus' own aggregator, which folds labels and rounds response times."""

    def test_it_holds_every_sample_as_the_reader_gave_it_before_taurus_folds_labels(self) -> None:
        def samples():
            for number in range(3000):
                error = "Not Found" if number % 3 == 0 else None
                label = f"/item/{number % 1000}, \ud800"
                yield 1_700_000_000 + number // 300, label, 4, 0.0125 + number / 1e6, 0, 0, "404" if error else "200", error, "", 10

        class Reader(ResultsReader):
            def __init__(self):
                super().__init__()
                self.left = samples()

            def _read(self, final_pass=False):
                yield from self.left

        aggregator, reader, file = ConsolidatingAggregator(), Reader(), self.folder / "taurus-samples.csv"
        aggregator.engine = unittest.mock.Mock(check_interval=1, config={"settings": {}})
        aggregator.settings.merge({"generalize-labels": 2000})
        aggregator.prepare()
        aggregator.add_underling(reader)
        sample_stream.follow(reader, file, "siege")
        points = list(aggregator.datapoints(final_pass=True))
        counted = sum(point["current"][""]["throughput"] for point in points)
        folded = {label for point in points for label in point["current"] if label}
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines, strict=True))
        self.assertEqual((counted, len(rows)), (3000, 3000))
        self.assertEqual(space.positions()[file.stat().st_ino], file.stat().st_size, "nobody has still to read it but the collector")
        self.assertLess(len(folded), 1000)
        self.assertEqual(len({row["label"] for row in rows}), 1000)
        self.assertEqual(sum(row["success"] == "false" for row in rows), 1000)
        self.assertEqual(
            rows[1],
            {
                "timeStamp": "1700000000000",
                "elapsed": "13",
                "label": "/item/1, \\ud800",
                "responseCode": "200",
                "responseMessage": "",
                "success": "true",
                "bytes": "10",
                "allThreads": "4",
                "executor": "siege",
            },
        )

    def test_what_a_reader_does_not_know_is_empty_and_a_clock_that_ran_backwards_no_negative_time(self) -> None:
        self.assertEqual(
            sample_stream.row((1, "a", None, -0.5, 0, 0, None, None, "", None), "ab"), (1000, 0, "a", "", "", "true", 0, "", "ab")
        )


class Versions(unittest.TestCase):
    def test_every_lock_agrees_with_the_one_versions_file(self) -> None:
        versions = read_versions(VERSIONS)
        requirements = (TAURUS / "requirements.in").read_text().split()
        self.assertEqual(
            requirements,
            [
                f"{package}=={versions[f'{name}_VERSION']}"
                for package, name in (("bzt", "TAURUS"), ("locust", "LOCUST"), ("apiritif", "APIRITIF"))
            ],
        )
        locked = (TAURUS / "requirements.txt").read_text()
        for requirement in requirements:
            self.assertRegex(locked, rf"(?m)^{re.escape(requirement)} \\$")
        jars = {line.split()[1] for line in (TAURUS / "jmeter.lock").read_text().splitlines() if not line.startswith("#")}
        self.assertLessEqual(
            {
                f"ApacheJMeter_core-{versions['JMETER_VERSION']}.jar",
                f"jmeter-plugins-casutg-{versions['JMETER_PLUGIN_CASUTG_VERSION']}.jar",
                f"jmeter-plugins-cmn-jmeter-{versions['JMETER_PLUGIN_CMN_VERSION']}.jar",
                f"jmeter-plugins-tst-{versions['JMETER_PLUGIN_TST_VERSION']}.jar",
            },
            jars,
        )

    def test_each_locked_package_has_a_digest(self) -> None:
        blocks = re.split(r"(?m)^(?=[a-z])", (TAURUS / "requirements.txt").read_text())
        packages = [block for block in blocks if re.match(r"[a-zA-Z0-9._-]+==", block)]
        self.assertGreater(len(packages), 40)
        self.assertEqual([block.split()[0] for block in packages if "--hash=sha256:" not in block], [])


class TheForcedConfiguration(Temporary):
    def merged(self, user: dict) -> dict:
        """What Taurus makes of a user's configuration and ours, by its own code."""
        folders = Folders.from_environment({"VOLLEY_WORK_DIR": str(self.folder), "VOLLEY_CONTROL_DIR": "/c", "VOLLEY_JMETER": "/j"})
        (self.folder / "user.json").write_text(json.dumps(user))
        forced = configuration.forced(folders, read_versions(VERSIONS), 20_000)
        folders.work.forced_configuration.write_text(json.dumps(forced))
        options, _ = get_option_parser().parse_args(["-l", str(self.folder / "log")])
        cli = CLI(options)
        self.addCleanup(cli.close_log)
        cli.engine.configure([str(self.folder / "user.json"), str(folders.work.forced_configuration)])
        return cli.engine.config

    def test_a_hostile_configuration_changes_nothing_of_it(self) -> None:
        (self.folder / "late.json").write_text(json.dumps({"settings": {"check-updates": True}}))
        hostile = {
            "included-configs": [str(self.folder / "late.json")],
            "provisioning": "cloud",
            "settings": {"artifacts-dir": "/elsewhere", "check-updates": True, "ramp-up-exclude": True},
            "modules": {
                "jmeter": {"path": "/evil", "version": "2.13", "detect-plugins": True, "shutdown-port": 4445},
                "console": {"disable": False},
                "consolidator": {"generalize-labels": 0, "max-buffer-len": "1h", "ignore-labels": ["home"]},
                "locust": {"class": "evil.Executor", "dry-install": False},
                "k6": {"class": "evil.Executor"},
                "siege": {"class": "evil.Executor"},
                "local": {"sequential": True, "capacity": 1},
            },
            "reporting": [{"module": "blazemeter"}, {"module": "final-stats", "dump-xml": "/elsewhere"}],
            "services": [{"module": "shellexec"}],
        }
        config = self.merged(hostile)
        self.assertEqual(config["provisioning"], "local")
        self.assertEqual(
            [config["settings"][key] for key in ("artifacts-dir", "check-updates", "ramp-up-exclude")],
            [str(self.folder / "artifacts"), False, False],
        )
        modules = config["modules"]
        self.assertEqual([modules["jmeter"][key] for key in ("path", "version", "detect-plugins")], ["/j", "5.6.3", False])
        self.assertEqual(modules["jmeter"]["shutdown-port"], 20_000)
        self.assertIs(modules["console"]["disable"], True)
        self.assertEqual([modules["consolidator"][key] for key in ("generalize-labels", "max-buffer-len")], [2000, "5s"])
        self.assertEqual(dict(modules["locust"]), {"class": configuration.LOCUST, "dry-install": True})
        self.assertEqual(modules["consolidator"]["ignore-labels"], [])
        self.assertEqual([modules[name]["class"] for name in ("k6", "siege")], [configuration.K6, configuration.SIEGE])
        self.assertEqual(dict(modules["local"]) | {"class": ""}, {"class": "", "sequential": False, "capacity": 0})
        summary = {"module": "final-stats", "dump-xml": str(self.folder / "artifacts/final-stats.xml")}
        self.assertEqual([dict(item) for item in config["reporting"]], [summary])
        self.assertEqual(config["services"][-1]["module"], configuration.GATE)

    def test_error_bodies_are_off_for_every_execution(self) -> None:
        execution = {"write-xml-jtl": "full"}
        configuration.force_execution(execution)
        self.assertEqual(execution["write-xml-jtl"], "none")

    def test_two_workers_get_different_free_ports_for_jmeters_stop(self) -> None:
        first = configuration.shutdown_port("a")
        self.assertEqual(configuration.shutdown_port("a"), first)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", first))
            self.assertEqual(configuration.shutdown_port("a"), first + 1)
            with self.assertRaises(configuration.NoFreePort):
                configuration.shutdown_port("a", attempts=1)

    def test_a_pod_without_localhost_is_told_before_taurus_would_try_every_port(self) -> None:
        unknown = unittest.mock.patch("socket.getaddrinfo", side_effect=socket.gaierror("Name or service not known"))
        with unknown, self.assertRaisesRegex(configuration.NoFreePort, "localhost cannot be resolved"):
            configuration.shutdown_port("a")

    def test_the_class_path_of_the_run_is_the_class_path_of_the_check(self) -> None:
        (self.folder / "libraries").mkdir()
        properties = self.folder / "p.properties"
        properties.write_text(f"a=b\nuser.classpath={self.folder}/libraries:/x/plugin.jar\n")
        self.assertEqual(jmeter.user_classpath(properties), f"{self.folder}/libraries:{self.folder}/libraries/*:/x/plugin.jar")
        self.assertEqual(jmeter.user_classpath(None), "")
