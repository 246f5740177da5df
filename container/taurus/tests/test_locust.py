"""Real Taurus with real Locust."""

import csv
import hashlib
import unittest
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from bzt.utils import RESOURCES_DIR

from .worker import LOCUST, WorkerTest


def summary_count(path) -> int:
    """Samples of all labels, as final-stats.xml tells."""
    for group in ElementTree.parse(path).getroot().findall("Group"):
        if group.get("label") == "":
            return int(group.find("throughput").get("value"))
    raise AssertionError(f"{path} has no total")


# Each user makes ten rounds of three samples and leaves, so that what must be there is known to the sample.
QUOTES = """\
from locust import HttpUser, constant, events, task
from locust.exception import StopUser


class Shopper(HttpUser):
    wait_time = constant(0)

    @task
    def rounds(self):
        for _ in range(10):
            self.client.get("/named", name='say "hello", please')
            with self.client.get("/refused", name="refused", catch_response=True) as response:
                response.failure('bad "quoted" text, with comma')
            events.request.fire(
                request_type='"own"', name='"', response_time=7.4, response_length=3, exception=ValueError('"\\ud800'), context={}
            )
        raise StopUser()
"""


class WithLocust(WorkerTest):
    def test_prepared_start_samples_natural_end_and_summary(self) -> None:
        self.lay("locust", "shop.py", LOCUST, hold="3s")
        self.start_launcher()
        prepared = self.until_prepared()
        self.assertEqual(self.target.paths, [], "load before the start")
        document = self.status("prepared.json")
        self.assertEqual(document["engines"], [{"name": "locust", "version": "2.47.0"}])
        self.assertEqual(document["taurus"], "1.17.2")
        self.open_gate()
        released = self.until_file(self.work / "status" / "released.json", 5)
        first = self.until_samples(1)
        self.assertEqual(self.leave(), 0)
        artifacts = self.work / "artifacts"
        self.assertEqual(summary_count(artifacts / "final-stats.xml"), self.samples())
        self.assertGreaterEqual(len(self.target.paths), self.samples())
        self.assertIs(self.status("ended.json")["stopped"], False)
        self.assertIn("Done performing with code: 0", (self.work / "taurus.log").read_text())
        self.assertEqual((artifacts / "kpi.jtl").stat().st_mode & 0o777, 0o664)
        self.assertEqual(self.left_behind(), [])
        print(f"locust: prepared after {prepared:.1f} s, gate open after {released * 1000:.0f} ms, first sample after {first:.2f} s")

    def test_a_stop_under_load_ends_the_load_at_once_with_results(self) -> None:
        self.lay("locust", "shop.py", LOCUST, hold="60s")
        self.start_launcher()
        self.until_prepared()
        self.open_gate()
        self.until_samples()
        self.write("stop.json", {"reason": "Requested", "message": "spec.stop"})
        took = self.until_file(self.work / "status" / "ended.json", 20)
        self.assertLess(took, 8)
        self.assertEqual(self.leave(), 0)
        self.assertIs(self.status("ended.json")["stopped"], True)
        self.assertEqual(summary_count(self.work / "artifacts" / "final-stats.xml"), self.samples())
        print(f"locust: ended {took:.1f} s after the stop")

    def test_samples_with_quotation_marks_and_half_characters_are_all_in_file_and_summary(self) -> None:
        self.lay("locust", "shop.py", QUOTES, hold="3s", users=2)
        self.start_launcher()
        self.until_prepared()
        self.open_gate()
        self.assertEqual(self.leave(), 0)
        self.assertEqual(Counter(self.target.paths), {"/named": 20, "/refused": 20})
        artifacts = self.work / "artifacts"
        with (artifacts / "kpi.jtl").open(newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        self.assertEqual(
            Counter((row["label"], row["method"], row["success"], row["responseCode"], row["responseMessage"]) for row in rows),
            {
                ('say "hello", please', "GET", "true", "200", "OK"): 20,
                ("refused", "GET", "false", "500", 'bad "quoted" text, with comma'): 20,
                ('"', '"own"', "false", "500", '"\\ud800'): 20,
            },
        )
        self.assertEqual({row["elapsed"] for row in rows if row["label"] == '"'}, {"7"})
        self.assertIn('"bad ""quoted"" text, with comma"', (artifacts / "kpi.jtl").read_text())
        groups = ElementTree.parse(artifacts / "final-stats.xml").getroot().findall("Group")
        self.assertEqual(
            {group.get("label"): tuple(int(group.find(name).get("value")) for name in ("throughput", "fail")) for group in groups},
            {'say "hello", please': (20, 0), "refused": (20, 20), '"': (20, 20), "": (60, 40)},
        )
        self.assertNotIn("Uncaught exception", (artifacts / "locust.log").read_text())

    def broken(self, script: str, content: str) -> dict:
        self.lay("locust", script, content)
        self.start_launcher()
        self.assertEqual(self.leave(), 64)
        self.assertEqual(self.target.paths, [])
        self.assertFalse((self.work / "status" / "prepared.json").exists())
        failed = self.status("failed.json")
        self.assertEqual((failed["stage"], failed["file"]), ("Script", script))
        return failed

    def test_a_syntax_error_is_64_with_pythons_words_and_the_line(self) -> None:
        failed = self.broken("shop.py", LOCUST.replace("def home(self):", "def home(self:"))
        self.assertEqual(failed["line"], 8)
        self.assertIn("SyntaxError: '(' was never closed", failed["words"])

    def test_a_file_without_a_user_class_is_64(self) -> None:
        self.assertIn("No User class", self.broken("shop.py", "import locust\n")["words"])

    def test_a_script_named_like_a_module_of_taurus_harms_nobody(self) -> None:
        self.workspace(yaml__py="raise RuntimeError('the user is not yaml')\n")
        self.lay("locust", "shop.py", LOCUST, hold="1s")
        self.start_launcher()
        self.until_prepared()
        self.write("stop.json", {"reason": "Requested", "message": "seen enough"})
        self.assertEqual(self.leave(), 0)

    def test_data_beside_the_script_is_found(self) -> None:
        self.workspace(users__csv="ada\n")
        self.lay("locust", "shop.py", LOCUST + "\n\nNAME = open('users.csv').read()\nassert NAME == 'ada\\n'\n", hold="1s")
        self.start_launcher()
        self.until_prepared()
        self.write("stop.json", {"reason": "Requested", "message": "seen enough"})
        self.assertEqual(self.leave(), 0)


class TheSampleWriterOfTaurus(unittest.TestCase):
    def test_it_is_the_one_that_volley_worker_locust_was_written_for(self) -> None:
        """After an upgrade of Taurus: read its sample writer again, see whether `volley_worker.locust` is still needed."""
        content = (Path(RESOURCES_DIR) / "locustio-taurus-wrapper.py").read_bytes()
        self.assertEqual(hashlib.sha256(content).hexdigest(), "6948f291c42bd3bd0e07f4855a4ad0bdb5d12d54a02b2a7df36685669e2d8163")


if __name__ == "__main__":
    unittest.main()
