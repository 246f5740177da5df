"""Real Taurus with the real k6 that k6/fetch.py fetches."""

import unittest
import xml.etree.ElementTree as ElementTree

from .test_locust import summary_count
from .worker import WorkerTest

SCRIPT = """\
import http from 'k6/http';
import { sleep } from 'k6';

export default function () {
  http.get(`${__ENV.TARGET}/?${encodeURIComponent(__ENV.WORD)}`, { tags: { name: 'home "page", main' } });
  sleep(0.02);
}
"""

# What a script says for a run of its own. None of it counts here.
OWN_OPTIONS = """
export const options = {
  scenarios: { mine: { executor: 'constant-vus', vus: 40, duration: '1h', exec: 'mine' } },
  thresholds: { http_reqs: [{ threshold: 'count<3', abortOnFail: true }] },
  executionSegment: '0:1/4',
  systemTags: ['url'],
  paused: true,
};
export function mine() {}
"""


class WithK6(WorkerTest):
    def lay_k6(self, script: str = SCRIPT, hold: str = "3s", users: int = 2, **execution: object) -> None:
        given = [f"--env=TARGET={self.target.url}", "--env=WORD=a b"]
        self.lay("k6", "shop.js", script, hold=hold, users=users, **{"arguments": given, **execution})

    def totals(self) -> ElementTree.Element:
        groups = ElementTree.parse(self.work / "artifacts" / "final-stats.xml").getroot().findall("Group")
        return next(group for group in groups if group.get("label") == "")

    def test_prepared_start_samples_natural_end_and_summary(self) -> None:
        self.lay_k6()
        self.start_launcher()
        prepared = self.until_prepared()
        self.assertEqual(self.target.paths, [], "load before the start")
        document = self.status("prepared.json")
        self.assertEqual((document["engines"], document["notes"]), ([{"name": "k6", "version": "1.1.0"}], []))
        self.open_gate()
        first = self.until_samples(1)
        self.assertEqual(self.leave(), 0)
        artifacts = self.work / "artifacts"
        self.assertGreater(self.samples(), 50)
        # Each request that the target saw is a sample, and Taurus counted them all.
        self.assertEqual((summary_count(artifacts / "final-stats.xml"), len(self.target.paths)), (self.samples(),) * 2)
        self.assertEqual(set(self.target.paths), {"/?a%20b"})
        self.assertEqual(self.totals().find("fail").get("value"), "0")
        labels = {group.get("label") for group in ElementTree.parse(artifacts / "final-stats.xml").getroot().findall("Group")}
        self.assertEqual(labels, {"", 'home "page", main'})
        self.assertIn("Done performing with code: 0", (self.work / "taurus.log").read_text())
        self.assertEqual(self.left_behind(), [])
        print(f"k6: prepared after {prepared:.1f} s, first sample {first:.2f} s after the start")

    def test_the_load_is_that_of_the_execution_whatever_the_script_says(self) -> None:
        self.lay_k6(OWN_OPTIONS + SCRIPT, users=3, hold="3s", **{"ramp-up": "2s"})
        self.start_launcher()
        self.until_prepared()
        load, thresholds, segment = self.status("prepared.json")["notes"]
        self.assertIn("options.scenarios", load)
        self.assertIn("http_reqs", thresholds)
        self.assertIn("executionSegment", segment)
        self.open_gate()
        self.until_samples(1)
        took = self.until_file(self.work / "status" / "ended.json", 30)
        self.assertEqual(self.leave(), 0)
        # Ramp-up and hold together, not the hold alone; Taurus needs some seconds to end.
        self.assertGreater(took, 4.5)
        self.assertEqual(self.totals().find("concurrency").get("value"), "3")
        rows = (self.work / "artifacts" / "kpi.csv").read_text().splitlines()
        ends = [int(row.split(",")[1]) for row in rows if row.startswith("http_reqs,")]
        self.assertTrue(4_500 <= max(ends) - min(ends) <= 6_000, max(ends) - min(ends))

    def test_a_stop_under_load_ends_the_load_at_once_with_results(self) -> None:
        self.lay_k6(hold="60s")
        self.start_launcher()
        self.until_prepared()
        self.open_gate()
        self.until_samples()
        self.write("stop.json", {"reason": "Requested", "message": "spec.stop"})
        took = self.until_file(self.work / "status" / "ended.json", 20)
        self.assertLess(took, 8)
        requests = len(self.target.paths)
        self.assertEqual(self.leave(), 0)
        self.assertEqual(summary_count(self.work / "artifacts" / "final-stats.xml"), self.samples())
        # What was under way may have reached the target without an answer that k6 took.
        self.assertIn(requests - self.samples(), (0, 1, 2))
        self.assertEqual(len(self.target.paths), requests)
        self.assertEqual(self.left_behind(), [])
        print(f"k6: ended {took:.1f} s after the stop")

    def test_a_k6_that_gives_up_without_a_sample_is_65_with_its_words(self) -> None:
        self.lay_k6(SCRIPT + "\nexport function setup() { throw new Error('no stock today'); }\n")
        self.start_launcher()
        self.until_prepared()
        self.open_gate()
        self.assertEqual(self.leave(), 65)
        failed = self.status("failed.json")
        self.assertEqual(failed["stage"], "Start")
        self.assertIn("k6 exited with code 107", failed["words"])
        self.assertIn("no stock today", failed["words"])

    def refused(self, stage: str) -> dict:
        self.start_launcher()
        self.assertEqual(self.leave(), 64)
        self.assertEqual(self.target.paths, [])
        self.assertFalse((self.work / "status" / "prepared.json").exists())
        failed = self.status("failed.json")
        self.assertEqual(failed["stage"], stage)
        return failed

    def test_a_syntax_error_is_64_with_k6s_words_and_the_line(self) -> None:
        self.lay_k6(SCRIPT.replace("sleep(0.02);", "sleep(0.02"))
        failed = self.refused("Script")
        self.assertEqual((failed["file"], failed["line"]), ("shop.js", 7))
        self.assertIn("Unexpected token", failed["words"])

    def test_a_script_without_a_default_function_is_64(self) -> None:
        self.lay_k6(SCRIPT.replace("export default function", "export function shop"))
        self.assertIn("function 'default' not found in exports", self.refused("Script")["words"])

    def test_an_argument_that_would_change_the_load_is_64(self) -> None:
        self.lay_k6(arguments=["--vus=500"])
        self.assertIn("k6 may not be given '--vus=500'", self.refused("Configuration")["words"])


if __name__ == "__main__":
    unittest.main()
