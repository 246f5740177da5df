"""Real Taurus with Apiritif, Molotov and siege, and with several executions of a user's own configuration."""

import csv
import json
import unittest
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from .worker import WorkerTest

MOLOTOV = """\
import molotov


@molotov.scenario(weight=3)
async def home(session):
    async with session.get("{target}/") as response:
        assert response.status == 200


@molotov.scenario(weight=1)
async def broken(session):
    async with session.get("{target}/status/500") as response:
        assert response.status == 200, "bad status"
"""

APIRITIF = """\
import time
import unittest
from apiritif import http


class Shop(unittest.TestCase):
    def test_home(self):
        time.sleep(0.02)
        http.get("{target}/")
"""


class WithExecutors(WorkerTest):
    def lay_executions(self, executions: list[dict], load: list[dict], scenarios: dict | None = None, **more: object) -> None:
        """A user's own configuration, and what the collector lays over its executions."""
        self.workspace(taurus__yml=json.dumps({"execution": executions, "scenarios": scenarios or {}, **more}))
        self.workspace(volley__yml=json.dumps({"$execution": load}))
        configurations = ["workspace/taurus.yml", "workspace/volley.yml"]
        self.write("launch.json", {"configurations": configurations, "scripts": [], "uploadTimeoutSeconds": 20})

    def lay_one(self, executor: str, scenario: dict, hold: str = "3s", users: int = 2) -> None:
        load = {"executor": executor, "concurrency": users, "ramp-up": "0s", "hold-for": hold}
        self.lay_executions([{"executor": executor, "scenario": scenario, "concurrency": 99}], [load])

    def run_it(self) -> float:
        """From the gate to the end; seconds that it took."""
        self.start_launcher()
        self.until_prepared()
        self.assertEqual(self.target.paths, [], "load before the start")
        self.open_gate()
        took = self.until_file(self.work / "status" / "ended.json", 40)
        self.assertEqual(self.leave(), 0, self.said())
        self.assertEqual(self.left_behind(), [])
        return took

    def artifact(self, name: str) -> Path:
        return self.work / "artifacts" / name

    def groups(self) -> dict[str, tuple[int, int]]:
        """Samples and failures of each label in Taurus' own summary; `""` is all of them."""
        groups = ElementTree.parse(self.artifact("final-stats.xml")).getroot().findall("Group")
        return {group.get("label"): tuple(int(group.find(name).get("value")) for name in ("throughput", "fail")) for group in groups}

    def rows(self, name: str) -> list[dict[str, str]]:
        with self.artifact(name).open(newline="") as file:
            return list(csv.DictReader(file, strict=True))

    def scenarios(self, name: str) -> Counter:
        """Molotov's finished scenarios: name and how they ended."""
        rows = [json.loads(line) for line in self.artifact(name).read_text().splitlines()]
        return Counter((row["name"], row["type"]) for row in rows if row["type"].startswith("scenario_"))

    def broken(self) -> dict:
        self.start_launcher()
        self.assertEqual(self.leave(), 64, self.said())
        self.assertEqual(self.target.paths, [])
        self.assertFalse((self.work / "status" / "prepared.json").exists())
        failed = self.status("failed.json")
        self.assertEqual(failed["stage"], "Script", failed)
        return failed


class WithApiritif(WithExecutors):
    def test_requests_become_samples_that_taurus_and_the_target_count_too(self) -> None:
        self.lay_one("apiritif", {"requests": [f"{self.target.url}/"], "think-time": "20ms"})
        took = self.run_it()
        self.assertEqual(self.status("prepared.json")["engines"], [{"name": "apiritif", "version": "1.1.3"}])
        self.assertEqual(self.status("prepared.json")["notes"], [])
        rows = [row for file in self.artifact("").glob("apiritif.*.csv") for row in self.rows(file.name)]
        self.assertGreater(len(rows), 20)
        self.assertEqual((len(rows), len(rows)), (self.groups()[""][0], len(self.target.paths)))
        self.assertGreater(took, 2.9)
        # Everything is in the image: no package is looked for when the worker starts.
        self.assertNotRegex(self.artifact("bzt.log").read_text(), "'pip', '(install|download)'")

    def test_a_script_of_the_users_own_is_run(self) -> None:
        self.workspace(shop__py=APIRITIF.format(target=self.target.url))
        self.lay_one("apiritif", {"script": "shop.py"})
        self.run_it()
        self.assertGreater(self.groups()[""][0], 20)

    def test_a_syntax_error_is_64_with_pythons_words_and_the_line(self) -> None:
        self.workspace(shop__py=APIRITIF.replace("def test_home(self):", "def test_home(self:"))
        self.lay_one("apiritif", {"script": "shop.py"})
        failed = self.broken()
        self.assertEqual((failed["file"], failed["line"]), ("shop.py", 7))
        self.assertIn("SyntaxError", failed["words"])

    def test_a_file_without_a_test_is_64(self) -> None:
        self.workspace(shop__py="import unittest\n")
        self.lay_one("apiritif", {"script": "shop.py"})
        self.assertIn("No test found in shop.py", self.broken()["words"])


class WithMolotov(WithExecutors):
    def test_each_finished_scenario_is_a_sample_of_taurus_too(self) -> None:
        self.workspace(shop__py=MOLOTOV.format(target=self.target.url))
        self.lay_one("molotov", {"script": "shop.py", "think-time": "10ms"})
        took = self.run_it()
        self.assertEqual(self.status("prepared.json")["engines"], [{"name": "molotov", "version": "2.6"}])
        counted, groups = self.scenarios("molotov-report.ldjson"), self.groups()
        self.assertEqual(set(counted), {("home", "scenario_success"), ("broken", "scenario_failure")})
        self.assertEqual(groups["home"], (counted["home", "scenario_success"], 0))
        self.assertEqual(groups["broken"], (counted["broken", "scenario_failure"],) * 2)
        self.assertGreater(took, 2.9)

    def test_a_missing_import_is_64_with_pythons_words_and_the_line(self) -> None:
        self.workspace(shop__py="import molotov\nimport absent_module\n")
        self.lay_one("molotov", {"script": "shop.py"})
        failed = self.broken()
        self.assertEqual((failed["file"], failed["line"]), ("shop.py", 2))
        self.assertIn("absent_module", failed["words"])

    def test_a_file_without_a_scenario_is_64(self) -> None:
        self.workspace(shop__py="import molotov\n")
        self.lay_one("molotov", {"script": "shop.py"})
        self.assertIn("No scenario found in shop.py", self.broken()["words"])


class WithSiege(WithExecutors):
    def test_its_samples_come_through_taurus_and_answers_of_400_and_above_are_failures(self) -> None:
        urls = [f"{self.target.url}{path}" for path in ("/", "/status/404", "/status/500")]
        self.lay_one("siege", {"requests": urls, "think-time": "10ms"})
        took = self.run_it()
        prepared = self.status("prepared.json")
        self.assertEqual([engine["name"] for engine in prepared["engines"]], ["siege"])
        self.assertRegex(prepared["engines"][0]["version"], r"^4\.\d")
        self.assertIn("whole seconds", prepared["notes"][0])
        rows = self.rows("taurus-samples.csv")
        counted = Counter((row["label"], row["responseCode"], row["success"], row["executor"]) for row in rows)
        self.assertEqual(
            set(counted),
            {(urls[0], "200", "true", "siege"), (urls[1], "404", "false", "siege"), (urls[2], "500", "false", "siege")},
        )
        # What was under way at the end reached the target, once or on a second connection, without an answer that siege took.
        self.assertIn(len(self.target.paths) - len(rows), range(2 * 2 + 1))
        groups = self.groups()
        self.assertEqual(groups[""], (len(rows), sum(row["success"] == "false" for row in rows)))
        self.assertEqual(groups[urls[1]], (counted[urls[1], "404", "false", "siege"],) * 2)
        self.assertEqual({row["allThreads"] for row in rows}, {"2"})
        self.assertGreater(took, 2.5)

    def test_it_goes_on_beyond_1024_failures(self) -> None:
        self.lay_one("siege", {"requests": [f"{self.target.url}/status/500"]}, hold="6s", users=8)
        self.run_it()
        rows = self.rows("taurus-samples.csv")
        self.assertGreater(len(rows), 1200)
        seconds = [int(row["timeStamp"]) // 1000 for row in rows]
        self.assertGreaterEqual(max(seconds) - min(seconds), 4)

    def test_a_stop_under_load_ends_the_load_with_results(self) -> None:
        self.lay_one("siege", {"requests": [f"{self.target.url}/"], "think-time": "10ms"}, hold="60s")
        self.start_launcher()
        self.until_prepared()
        self.open_gate()
        self.until("samples", lambda: self.artifact("taurus-samples.csv").read_bytes().count(b"\n") > 5, 20)
        self.write("stop.json", {"reason": "Requested", "message": "spec.stop"})
        self.assertLess(self.until_file(self.work / "status" / "ended.json", 20), 8)
        self.assertEqual(self.leave(), 0)
        self.assertEqual(self.groups()[""], (len(self.rows("taurus-samples.csv")), 0))

    def test_a_script_without_an_address_is_64(self) -> None:
        self.workspace(urls__txt="# nothing yet\nHOST = shop\n")
        self.lay_one("siege", {"script": "urls.txt"})
        self.assertIn("No address found in urls.txt", self.broken()["words"])


class WithSeveralExecutions(WithExecutors):
    def test_each_execution_has_its_own_load_and_samples_and_the_summary_is_their_sum(self) -> None:
        self.workspace(shop__py=MOLOTOV.format(target=self.target.url))
        prepared = "printf 'ready' > prepared.txt"
        self.lay_executions(
            [
                {"executor": "locust", "concurrency": 50, "hold-for": "1h", "scenario": "browse"},
                {"executor": "molotov", "hold-for": "1h", "scenario": {"script": "shop.py", "think-time": "10ms"}},
                {"executor": "locust", "hold-for": "1h", "scenario": "browse"},
            ],
            [
                {"executor": "locust", "concurrency": 3, "ramp-up": "1s", "hold-for": "2s"},
                {"executor": "molotov", "concurrency": 1, "ramp-up": "1s", "hold-for": "3s"},
                {"executor": "locust", "concurrency": 2, "ramp-up": "1s", "hold-for": "2s"},
            ],
            {"browse": {"default-address": self.target.url, "requests": ["/one", "/two"], "think-time": "20ms"}},
            services=[{"module": "shellexec", "prepare": [prepared]}],
            reporting=["final-stats", "console"],
        )
        self.run_it()
        self.assertEqual((self.work / "workspace" / "prepared.txt").read_text(), "ready")
        effective = json.loads(self.artifact("effective.json").read_text())["execution"]
        shares = [(one["executor"], one["concurrency"]["local"]) for one in effective]
        self.assertEqual(shares, [("locust", 3), ("molotov", 1), ("locust", 2)])
        engines = [engine["name"] for engine in self.status("prepared.json")["engines"]]
        self.assertEqual(engines, ["locust", "molotov"])
        samples = [len(self.rows("kpi.jtl")), len(self.rows("kpi-1.jtl")), sum(self.scenarios("molotov-report.ldjson").values())]
        self.assertGreater(min(samples), 10)
        self.assertEqual(self.groups()[""][0], sum(samples))
        self.assertFalse(self.artifact("taurus-samples.csv").exists(), "an engine with a sample file of its own is not counted twice")


if __name__ == "__main__":
    unittest.main()
