"""Real Taurus with the real JMeter that jmeter/assemble.py makes."""

import unittest

from .test_locust import summary_count
from .worker import WorkerTest, plan

CSV = (
    '<CSVDataSet guiclass="TestBeanGUI" testclass="CSVDataSet" testname="users"><stringProp name="filename">users.csv</stringProp>'
    '<stringProp name="variableNames">name</stringProp><stringProp name="delimiter">,</stringProp>'
    '<boolProp name="recycle">true</boolProp></CSVDataSet><hashTree/>'
)


class WithJMeter(WorkerTest):
    def test_a_plan_with_data_runs_to_its_natural_end(self) -> None:
        (self.control / "workspace" / "users.csv").write_text("ada\ngrace\n")
        self.lay("jmeter", "shop.jmx", plan(extra=CSV, path="/${name}"), hold="3s", throughput=20)
        self.start_launcher()
        prepared = self.until_prepared()
        self.assertEqual(self.target.paths, [], "load before the start")
        self.assertEqual(self.status("prepared.json")["engines"], [{"name": "jmeter", "version": "5.6.3"}])
        self.open_gate()
        first = self.until_samples(1)
        self.assertEqual(self.leave(), 0)
        artifacts = self.work / "artifacts"
        self.assertEqual(summary_count(artifacts / "final-stats.xml"), self.samples())
        self.assertEqual(set(self.target.paths), {"/ada", "/grace"})
        self.assertIn("ConcurrencyThreadGroup", (artifacts / "modified_shop.jmx").read_text())
        # 20 a second for 3 s, by the shaper of the tst plugin.
        self.assertLessEqual(self.samples(), 75)
        self.assertFalse((artifacts / "error.jtl").exists())
        print(f"jmeter: prepared after {prepared:.1f} s, first sample {first:.2f} s after the start")

    def test_requests_without_a_script_run_and_a_stop_with_requests_under_way_keeps_results(self) -> None:
        requests = [{"url": f"{self.target.url}/", "label": "home"}, {"url": f"{self.target.url}/slow", "label": "slow"}]
        self.launch(
            {
                "execution": [{"executor": "jmeter", "concurrency": 2, "hold-for": "60s", "scenario": "main"}],
                "scenarios": {"main": {"requests": requests}},
            },
            [],
        )
        self.start_launcher()
        self.until_prepared()
        self.open_gate()
        self.until("the slow requests", lambda: self.target.paths.count("/slow") >= 2, 30)
        self.until_samples(2)
        self.write("stop.json", {"reason": "Requested", "message": "spec.stop"})
        took = self.until_file(self.work / "status" / "ended.json", 30)
        requests_at_end = len(self.target.paths)
        self.assertEqual(self.leave(), 0)
        self.assertTrue((self.work / "artifacts" / "final-stats.xml").exists())
        self.assertEqual(len(self.target.paths), requests_at_end)
        self.assertEqual(self.left_behind(), [])
        print(f"jmeter: ended {took:.1f} s after the stop, with two requests of 15 s under way")

    def test_an_unknown_class_is_64_with_jmeters_words_and_the_line_in_the_users_file(self) -> None:
        element = '<com.example.Missing guiclass="com.example.MissingGui" testclass="com.example.Missing" testname="m"/>'
        content = plan(extra=element + "<hashTree/>")
        self.lay("jmeter", "shop.jmx", content)
        self.start_launcher()
        self.assertEqual(self.leave(), 64)
        failed = self.status("failed.json")
        line = 1 + next(number for number, text in enumerate(content.splitlines()) if "com.example.Missing" in text)
        self.assertEqual((failed["stage"], failed["file"], failed["line"]), ("Script", "shop.jmx", line))
        self.assertIn("CannotResolveClassException: com.example.Missing", failed["words"])
        self.assertEqual(self.target.paths, [])

    def test_a_plan_that_is_no_xml_is_64_with_taurus_words(self) -> None:
        self.lay("jmeter", "shop.jmx", plan().replace("</jmeterTestPlan>", ""))
        self.start_launcher()
        self.assertEqual(self.leave(), 64)
        failed = self.status("failed.json")
        self.assertEqual((failed["stage"], failed["file"]), ("Script", "shop.jmx"))
        self.assertIn("XML parsing failed", failed["words"])
        self.assertIsInstance(failed["line"], int)


if __name__ == "__main__":
    unittest.main()
