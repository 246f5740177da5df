"""Documents: bounds, atomic writes, what is refused."""

import json
import random
import tempfile
import unittest
from pathlib import Path

from volley_worker import documents
from volley_worker.documents import DocumentError, Failure, Stage, clip, read_launch


class Clipping(unittest.TestCase):
    def test_words_never_exceed_the_limit_and_stay_valid_utf_8(self) -> None:
        source = random.Random(7)
        alphabet = ["a", "é", "€", "😀", "\n", " "]
        for _ in range(2000):
            text = "".join(source.choices(alphabet, k=source.randrange(0, 60)))
            limit = source.randrange(8, 80)
            clipped = clip(text, limit)
            size = len(clipped.encode())
            self.assertLessEqual(size, limit)
            if len(text.strip().encode()) <= limit:
                self.assertEqual(clipped, text.strip())
            else:
                self.assertTrue(clipped.endswith("…"))
                self.assertTrue(text.strip().startswith(clipped.removesuffix(" …")))

    def test_a_lone_surrogate_does_not_break_the_document(self) -> None:
        document = Failure(Stage.SCRIPT, "bad \udcff byte").document()
        self.assertEqual(json.loads(json.dumps(document))["words"], "bad ? byte")

    def test_a_failure_has_the_fields_of_the_contract(self) -> None:
        self.assertEqual(Failure(Stage.SCRIPT, "x" * 5000, "a.jmx", 3).document().keys(), {"version", "stage", "file", "line", "words"})
        self.assertLessEqual(len(Failure(Stage.SCRIPT, "x" * 5000).document()["words"].encode()), 2048)


class Reading(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "launch.json")

    def launch(self, **changes: object) -> documents.Launch:
        document = {
            "version": 1,
            "configurations": ["workspace/volley.yml"],
            "scripts": [{"engine": "jmeter", "file": "workspace/a/b.jmx"}],
            "uploadTimeoutSeconds": 300,
            **changes,
        }
        self.path.write_text(json.dumps(document))
        return read_launch(self.path)

    def test_paths_become_relative_to_the_workspace(self) -> None:
        launch = self.launch()
        self.assertEqual(launch.configurations, ("volley.yml",))
        self.assertEqual((launch.scripts[0].engine, launch.scripts[0].file), ("jmeter", "a/b.jmx"))
        self.assertEqual(launch.upload_timeout, 300.0)

    def test_what_breaks_the_contract_is_named(self) -> None:
        cases: list[tuple[dict, str]] = [
            ({"version": 2}, "version 2"),
            ({"configurations": []}, "configurations"),
            ({"configurations": ["/etc/passwd"]}, "not below workspace/"),
            ({"configurations": ["workspace/../x.yml"]}, "not below workspace/"),
            ({"configurations": ["workspace"]}, "not below workspace/"),
            ({"scripts": [{"file": "workspace/a"}]}, "scripts"),
            ({"scripts": [{"engine": "k6", "file": 3}]}, "not a path"),
            ({"uploadTimeoutSeconds": 0}, "uploadTimeoutSeconds"),
            ({"uploadTimeoutSeconds": True}, "uploadTimeoutSeconds"),
            ({"uploadTimeoutSeconds": 1e9}, "uploadTimeoutSeconds"),
        ]
        for change, word in cases:
            with self.subTest(change=change), self.assertRaisesRegex(DocumentError, word):
                self.launch(**change)

    def test_what_is_no_json_object_is_refused(self) -> None:
        for content in (b"", b"[]", b"{", b"\xff", b"{" + b" " * (1 << 20) + b"}"):
            self.path.write_bytes(content)
            with self.subTest(size=len(content)), self.assertRaises(DocumentError):
                read_launch(self.path)

    def test_a_written_document_appears_whole_and_alone(self) -> None:
        documents.write(self.path, {"version": 1, "words": "größer"})
        self.assertEqual(json.loads(self.path.read_text("utf-8"))["words"], "größer")
        self.assertEqual([entry.name for entry in self.path.parent.iterdir()], ["launch.json"])

    def test_instants_are_utc_with_milliseconds(self) -> None:
        self.assertRegex(documents.now(), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
