"""Finding the useful lines, from recorded outputs of the real engines."""

import json
import unittest
from pathlib import Path

from volley_worker import words
from volley_worker.checks import Subject, jmeter, k6, locust
from volley_worker.documents import Stage

WORKSPACE = Path("/volley/work/workspace")
RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def subject(name: str, file: str | None = None) -> Subject:
    return Subject(WORKSPACE / (file or name), name, WORKSPACE, {}, Path("/opt/jmeter/bin/jmeter"), Path("/opt/k6/k6"))


class LocustsWords(unittest.TestCase):
    def test_a_syntax_error_names_file_and_line_and_shows_the_place(self) -> None:
        failure = locust.explain(1, recorded("locust-syntax-error"), subject("syn.py"))
        self.assertEqual((failure.stage, failure.file, failure.line), (Stage.SCRIPT, "syn.py", 5))
        self.assertEqual(failure.words, "  File \"syn.py\", line 5\n    def x(self:\n         ^\nSyntaxError: '(' was never closed")

    def test_a_missing_import_names_the_module_and_the_line(self) -> None:
        failure = locust.explain(1, recorded("locust-missing-import"), subject("imp.py"))
        self.assertEqual((failure.file, failure.line), ("imp.py", 1))
        self.assertTrue(failure.words.endswith("ModuleNotFoundError: No module named 'nosuchmodule'"))

    def test_a_frame_in_a_module_beside_the_script_is_the_place(self) -> None:
        output = (
            'Traceback (most recent call last):\n  File "/volley/work/workspace/main.py", line 2, in <module>\n    import cart\n'
            '  File "/volley/work/workspace/cart.py", line 9, in <module>\n    1 / 0\nZeroDivisionError: division by zero\n'
        )
        failure = locust.explain(1, output, subject("main.py"))
        self.assertEqual((failure.file, failure.line), ("cart.py", 9))

    def test_a_list_with_users_is_read_and_an_empty_one_is_a_failure(self) -> None:
        self.assertEqual(locust.users(recorded("locust-users")), ["Shop"])
        self.assertEqual(locust.users(recorded("locust-no-user")), [])
        failure = locust.explain(0, recorded("locust-no-user"), subject("none.py"))
        self.assertIn("No User class found in none.py", failure.words)

    def test_an_end_without_a_frame_of_the_user_gives_the_last_lines(self) -> None:
        failure = locust.explain(3, "\n".join(f"line {n}" for n in range(100)), subject("exit.py"))
        self.assertEqual(failure.words.splitlines(), [f"line {n}" for n in range(85, 100)])
        self.assertIn("exit code 3", locust.explain(3, "", subject("exit.py")).words)

    def test_a_script_that_hangs_is_told_its_time(self) -> None:
        self.assertIn("within 90 s", locust.explain(None, "", subject("hang.py")).words)


class JMetersWords(unittest.TestCase):
    def test_an_unknown_class_is_named_with_its_path_and_its_line_in_the_users_file(self) -> None:
        source = "\n".join(["<a>"] * 41 + ['<com.example.Missing guiclass="X"/>'])
        failure = jmeter.explain(1, recorded("jmeter-unknown-class"), subject("bad.jmx"), source)
        self.assertEqual((failure.stage, failure.file, failure.line), (Stage.SCRIPT, "bad.jmx", 42))
        first, path, _ = failure.words.splitlines()
        self.assertEqual(first, "Problem loading XML from:'bad.jmx'. Cause: CannotResolveClassException: com.example.Missing")
        self.assertEqual(path, "path: /jmeterTestPlan/hashTree/hashTree/hashTree/com.example.Missing")

    def test_the_line_of_the_file_that_taurus_changed_is_never_given_as_the_users(self) -> None:
        changed = jmeter.explain(1, recorded("jmeter-unknown-class"), subject("bad.jmx", "modified_bad.jmx"), "")
        self.assertIsNone(changed.line)
        unchanged = jmeter.explain(1, recorded("jmeter-unknown-class"), subject("bad.jmx"), "")
        self.assertEqual(unchanged.line, 8)

    def test_a_jvm_that_says_nothing_about_the_plan_is_quoted(self) -> None:
        failure = jmeter.explain(1, "Error: Could not create the Java Virtual Machine.\n", subject("a.jmx"), "")
        self.assertIn("Could not create the Java Virtual Machine", failure.words)


class K6sWords(unittest.TestCase):
    def test_a_syntax_error_names_file_and_line(self) -> None:
        failure = k6.explain(107, recorded("k6-syntax-error"), subject("syn.js"))
        self.assertEqual((failure.stage, failure.file, failure.line), (Stage.SCRIPT, "syn.js", 5))
        self.assertEqual(failure.words, "syn.js: Line 5:1 Unexpected token } (and 1 more errors)")

    def test_what_the_script_throws_has_its_innermost_place(self) -> None:
        failure = k6.explain(107, recorded("k6-thrown"), subject("thr.js"))
        self.assertEqual((failure.file, failure.line), ("thr.js", 2))
        self.assertEqual(failure.words, "Error: boom\n\tat f (thr.js:2:22(3))\n\tat thr.js:3:2(15)")

    def test_a_script_without_a_default_function_is_told_what_users_run(self) -> None:
        failure = k6.explain(104, recorded("k6-no-default"), subject("nodef.js"))
        self.assertEqual((failure.file, failure.line), ("nodef.js", None))
        self.assertIn("function 'default' not found in exports", failure.words)
        self.assertIn("export one", failure.words)

    def test_an_empty_script_is_told_in_k6s_words(self) -> None:
        words = k6.explain(255, recorded("k6-empty"), subject("empty.js")).words
        self.assertTrue(words.endswith("no exported functions in script"), words)
        self.assertNotIn("/volley", words)

    def test_output_that_is_no_log_is_quoted_and_silence_and_time_are_named(self) -> None:
        self.assertEqual(k6.explain(2, "Killed\n", subject("a.js")).words, "Killed")
        self.assertIn("exit code 3", k6.explain(3, "", subject("a.js")).words)
        self.assertIn("within 90 s", k6.explain(None, "", subject("a.js")).words)

    def test_what_of_the_script_does_not_count_is_noted(self) -> None:
        options = {"stages": [{}], "vus": 3, "duration": None, "thresholds": {"http_req_failed": []}, "executionSegment": "0:1/2"}
        load, thresholds, segment = k6.notes(json.dumps(options))
        self.assertIn("options.stages, options.vus", load)
        self.assertIn("http_req_failed", thresholds)
        self.assertIn("executionSegment", segment)
        self.assertEqual([k6.notes(text) for text in ("", "[]", "{", json.dumps({"vus": None, "thresholds": {}}))], [[]] * 4)


class TaurusWords(unittest.TestCase):
    def test_a_malformed_jmx_is_a_broken_script_with_file_and_line(self) -> None:
        failure = words.of_taurus(recorded("taurus-malformed-jmx").splitlines(), WORKSPACE, 1)
        self.assertEqual((failure.stage, failure.file, failure.line), (Stage.SCRIPT, "cart.jmx", 7))
        self.assertNotIn("/volley", failure.words)

    def test_an_error_of_the_configuration_is_one(self) -> None:
        failure = words.of_taurus(["10:00:00 ERROR: Config Error: Scenario 'x' not found in scenarios: []"], WORKSPACE, 1)
        self.assertEqual(failure.stage, Stage.CONFIGURATION)
        self.assertEqual(failure.words, "Config Error: Scenario 'x' not found in scenarios: []")

    def test_frames_of_taurus_are_cut_and_the_exception_stays(self) -> None:
        lines = [
            "10:00:00 ERROR: TypeError: bad operand",
            "Traceback (most recent call last):",
            '  File "/opt/taurus/bzt/cli.py", line 1, in perform',
            "    self.engine.prepare()",
            "TypeError: bad operand",
            "10:00:01 INFO: Post-processing...",
            "not part of it",
        ]
        self.assertEqual(words.of_taurus(lines, WORKSPACE, 1).words, "TypeError: bad operand\nTypeError: bad operand")

    def test_silence_is_told_with_exit_code_and_the_last_lines(self) -> None:
        failure = words.of_taurus(["10:00:00 INFO: Preparing..."], WORKSPACE, 137)
        self.assertEqual(failure.stage, Stage.PREPARE)
        self.assertIn("exit code 137", failure.words)
        self.assertIn("Preparing", failure.words)

    def test_a_failure_after_the_start_says_that_the_load_was_started(self) -> None:
        failure = words.of_start(["10:00:00 ERROR: Child Process Error: Empty results"], WORKSPACE, 1)
        self.assertEqual(failure.stage, Stage.START)
        self.assertIn("no sample was made", failure.words)
        self.assertIn("Empty results", failure.words)
