"""The launcher with real Taurus and a stand-in for JMeter, or with nothing to run at all: every way to leave."""

import os
import signal
import unittest
from datetime import datetime

from volley_worker.health import HEADER

from .worker import FAKE_JMETER, WorkerTest, plan

LATE = {"reason": "Late", "message": "not prepared at the start instant"}


class BeforeTaurus(WorkerTest):
    def test_a_refusal_is_66_and_starts_nothing(self) -> None:
        self.write("refused.json", {"reason": "Late", "message": "the load began 12 s ago"})
        self.start_launcher()
        self.assertEqual(self.exit_code(5), 66)
        self.assertIn("the load began 12 s ago", self.said())
        self.assertFalse((self.work / "taurus.log").exists())

    def test_no_word_in_time_is_70(self) -> None:
        self.start_launcher("launch=0.3")
        self.assertEqual(self.exit_code(5), 70)
        self.assertIn("no launch.json within", self.said())

    def test_a_launch_that_breaks_the_contract_is_70_and_says_why(self) -> None:
        self.write("launch.json", {"configurations": ["/etc/passwd"], "uploadTimeoutSeconds": 5})
        self.start_launcher()
        self.assertEqual(self.exit_code(5), 70)
        self.assertIn("'/etc/passwd' is not below workspace/", self.said())

    def test_an_eviction_while_waiting_is_70(self) -> None:
        self.start_launcher()
        self.until_file(self.work / "artifacts", 5)
        self.terminate()
        self.assertEqual(self.exit_code(5), 70)

    def test_a_stop_before_there_is_anything_to_run_is_0_with_a_report(self) -> None:
        self.write("stop.json", {"reason": "Requested", "message": "spec.stop"})
        self.start_launcher()
        self.assertEqual(self.leave(5), 0)
        self.assertIs(self.status("ended.json")["stopped"], True)

    def test_files_of_an_earlier_run_are_refused(self) -> None:
        (self.work / "artifacts").mkdir()
        (self.work / "artifacts" / "kpi.jtl").write_text("old")
        self.start_launcher()
        self.assertEqual(self.exit_code(5), 70)
        self.assertIn("files of an earlier run", self.said())


class WithAStandIn(WorkerTest):
    """Taurus is real; JMeter is the stand-in."""

    def run_fake(self, limits: str = "", hold: str = "30s", **environment: str) -> None:
        self.lay("jmeter", "plan.jmx", plan(), hold=hold)
        self.start_launcher(limits, VOLLEY_JMETER=str(FAKE_JMETER), **environment)

    def test_a_stop_while_held_is_0_without_samples(self) -> None:
        self.run_fake()
        self.until_prepared()
        self.write("stop.json", {"reason": "Requested", "message": "spec.stop"})
        self.assertLess(self.until_file(self.work / "status" / "ended.json", 15), 8)
        self.assertEqual(self.leave(), 0)
        self.assertIs(self.status("ended.json")["stopped"], True)
        self.assertFalse((self.work / "status" / "released.json").exists())
        self.assertFalse((self.work / "artifacts" / "final-stats.xml").exists())
        self.assertEqual(self.samples(), 0)

    def refused_after_the_launch(self) -> None:
        """66 and no load, without a wait for an upload of which there is none (20 s in `launch.json`)."""
        self.assertLess(self.until_file(self.work / "status" / "ended.json", 15), 8)
        self.assertEqual(self.exit_code(5), 66)
        self.assertIn("not started (Late): not prepared", self.said())
        self.assertFalse((self.work / "status" / "released.json").exists())
        self.assertFalse((self.work / "status" / "failed.json").exists())
        self.assertEqual(self.samples(), 0)
        self.assertEqual(self.left_behind(), [])

    def test_a_refusal_while_held_is_66_at_once(self) -> None:
        self.run_fake()
        self.until_prepared()
        self.write("refused.json", LATE)
        self.refused_after_the_launch()

    def test_a_refusal_is_66_also_where_a_stop_and_an_upload_follow_it(self) -> None:
        self.run_fake()
        self.until_prepared()
        self.write("refused.json", LATE)
        self.write("stop.json", {"reason": "Deleted", "message": LATE["message"]})
        (self.control / "uploaded").touch()
        self.refused_after_the_launch()

    def test_a_refusal_while_taurus_prepares_is_66(self) -> None:
        self.run_fake()
        self.until_file(self.work / "taurus.log")
        self.write("refused.json", LATE)
        self.refused_after_the_launch()
        self.assertFalse((self.work / "status" / "prepared.json").exists())

    def test_a_refused_taurus_that_does_not_leave_is_killed(self) -> None:
        self.run_fake("stop=2, kill=1")
        self.until_prepared()
        # Stopped by a signal, it cannot see the refusal.
        os.kill(self.taurus(), signal.SIGSTOP)
        self.write("refused.json", LATE)
        self.refused_after_the_launch()

    def test_an_eviction_while_held_is_70_so_that_a_replacement_takes_the_place(self) -> None:
        self.run_fake()
        self.until_prepared()
        self.terminate()
        self.assertEqual(self.exit_code(20), 70)
        self.assertIs(self.status("ended.json")["stopped"], True)

    def test_an_eviction_under_load_ends_in_order_with_results(self) -> None:
        self.run_fake()
        self.until_prepared()
        self.open_gate()
        self.until_samples()
        self.terminate()
        self.assertEqual(self.leave(), 0)
        self.assertIs(self.status("ended.json")["stopped"], True)
        self.assertTrue((self.work / "artifacts" / "final-stats.xml").exists())

    def test_an_engine_that_fails_after_the_start_without_a_sample_is_65(self) -> None:
        self.run_fake(FAKE_JMETER_EXIT="3")
        self.until_prepared()
        self.open_gate()
        self.assertEqual(self.leave(), 65)
        failed = self.status("failed.json")
        self.assertEqual(failed["stage"], "Start")
        self.assertIn("JMeter exited with non-zero code: 3", failed["words"])
        self.assertIn("told to fail", failed["words"])

    def test_an_engine_that_ignores_every_stop_is_killed_and_its_samples_count(self) -> None:
        self.run_fake("stop=4, kill=1", FAKE_JMETER_IGNORE_STOP="1")
        self.until_prepared()
        self.open_gate()
        self.until_samples()
        self.write("stop.json", {"reason": "DeadlineExceeded", "message": "too long"})
        self.assertLess(self.until_file(self.work / "status" / "ended.json", 20), 12)
        self.assertEqual(self.leave(), 0)
        self.assertEqual(self.left_behind(), [])
        self.assertIn("ending all processes", self.said())

    def test_taurus_killed_under_load_takes_its_engine_with_it(self) -> None:
        self.run_fake()
        self.until_prepared()
        self.open_gate()
        self.until_samples()
        os.kill(self.taurus(), signal.SIGKILL)
        self.assertEqual(self.leave(10), 0)
        self.assertEqual(self.status("ended.json")["exitCode"], 137)
        self.assertEqual(self.left_behind(), [])

    def taurus(self) -> int:
        """Its process id."""
        found = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and self.is_taurus(pid)]
        self.assertEqual(len(found), 1)
        return found[0]

    def is_taurus(self, pid: str) -> bool:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            return False
        return b"bzt.cli" in line and str(self.work).encode() in line

    def test_each_second_of_the_load_has_a_row_of_this_machines_control_group(self) -> None:
        self.run_fake(hold="5s", FAKE_JMETER_SECONDS="5")
        self.until_prepared()
        health = self.work / "status" / "health.csv"
        self.assertFalse(health.exists(), "nothing is told before the gate opens")
        self.open_gate()
        self.assertEqual(self.leave(), 0)
        header, *lines = health.read_text().splitlines()
        self.assertEqual(header, HEADER)
        rows = [[int(field) if field else None for field in line.split(",")] for line in lines]
        self.assertGreaterEqual(len(rows), 4)
        released = datetime.fromisoformat(self.status("released.json")["at"]).timestamp()
        ended = datetime.fromisoformat(self.status("ended.json")["at"]).timestamp()
        for (second, span, used, available, *_), after in zip(rows, [*rows[1:], None], strict=True):
            self.assertTrue(released - 1 <= second <= ended, second)
            self.assertTrue(after is None or second < after[0], "each second once")
            self.assertTrue(0 < used <= 1.5 * available and 500_000 <= span < 30_000_000, (span, used, available))
        memory = [row[7] for row in rows]
        self.assertTrue(all(each is not None and each > 1 << 20 for each in memory), memory)

    def test_every_sample_of_a_fixed_rate_is_in_file_and_summary(self) -> None:
        self.run_fake(hold="3s", FAKE_JMETER_RATE="500", FAKE_JMETER_ERRORS="10", FAKE_JMETER_SECONDS="3")
        self.until_prepared()
        self.open_gate()
        self.assertEqual(self.leave(), 0)
        self.assertEqual(self.samples(), 1500)
        summary = (self.work / "artifacts" / "final-stats.xml").read_text()
        self.assertIn("<value>1500</value>", summary)
        self.assertFalse((self.work / "artifacts" / "error.jtl").exists())

    def test_a_configuration_that_names_no_scenario_is_64_with_taurus_words(self) -> None:
        self.launch({"execution": [{"executor": "jmeter", "scenario": "absent"}]}, [])
        self.start_launcher(VOLLEY_JMETER=str(FAKE_JMETER))
        self.assertEqual(self.leave(), 64)
        failed = self.status("failed.json")
        self.assertEqual((failed["stage"], failed["line"]), ("Configuration", None))
        self.assertIn("absent", failed["words"])

    def test_an_engine_that_is_not_in_the_image_is_64_and_named(self) -> None:
        self.launch({"execution": [{"executor": "ab", "scenario": {"requests": ["http://127.0.0.1:1/"]}}]}, [])
        self.start_launcher(VOLLEY_JMETER=str(FAKE_JMETER))
        self.assertEqual(self.leave(), 64)
        failed = self.status("failed.json")
        self.assertEqual(failed["stage"], "Configuration")
        self.assertEqual(failed["words"], "This worker image has no engine 'ab'; it has apiritif, jmeter, k6, locust, molotov, siege")

    def test_a_collector_that_never_reports_its_upload_does_not_hold_a_failed_worker(self) -> None:
        self.launch({"execution": [{"executor": "jmeter", "scenario": "absent"}]}, [])
        self.start_launcher("failed_upload=0.5", VOLLEY_JMETER=str(FAKE_JMETER))
        self.until_file(self.work / "status" / "ended.json")
        self.assertEqual(self.exit_code(5), 64)


if __name__ == "__main__":
    unittest.main()
