"""Holes in sample files, on a real file system."""

import json
import os
import tempfile
import unittest
from pathlib import Path

from volley_worker import space
from volley_worker.folders import Folders

MIB = 1 << 20


class TheSpaceOfSamples(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("VOLLEY_TEST_DISK"))
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "artifacts").mkdir()
        self.file = self.root / "artifacts" / "kpi.csv"
        self.file.write_bytes(b"".join(bytes([number]) * MIB for number in range(1, 65)))
        folders = {"VOLLEY_CONTROL_DIR": folder.name, "VOLLEY_WORK_DIR": folder.name}
        self.space = space.Space(Folders.from_environment(folders))

    def consumed(self, up_to: int, **changes: object) -> None:
        entry = {"path": "artifacts/kpi.csv", "inode": self.file.stat().st_ino, "upTo": up_to, **changes}
        temporary = self.root / ".consumed"
        temporary.write_text(json.dumps({"version": 1, "files": [entry]}))
        temporary.rename(self.root / "consumed.json")

    def read_by_taurus(self, position: int) -> None:
        """As Taurus' FileReader: the file stays open."""
        reader = self.file.open("rb")
        self.addCleanup(reader.close)
        reader.seek(position)

    def blocks(self) -> int:
        return self.file.stat().st_blocks * 512

    def test_what_both_have_passed_is_free_and_the_rest_is_untouched(self) -> None:
        self.read_by_taurus(48 * MIB)
        self.consumed(40 * MIB)
        self.space.look()
        self.assertEqual(self.file.stat().st_size, 64 * MIB)
        self.assertLessEqual(self.blocks(), 26 * MIB)
        with self.file.open("rb") as file:
            self.assertEqual(file.read(MIB), b"\x01" * MIB, "the header stays")
            self.assertEqual(file.read(MIB), bytes(MIB))
            file.seek(40 * MIB)
            self.assertEqual(file.read(), b"".join(bytes([number]) * MIB for number in range(41, 65)))

    def test_nothing_that_taurus_has_still_to_read_is_taken(self) -> None:
        self.read_by_taurus(60 * MIB)
        self.read_by_taurus(20 * MIB)
        self.consumed(64 * MIB)
        self.space.look()
        with self.file.open("rb") as file:
            file.seek(19 * MIB)
            self.assertEqual(file.read(2 * MIB), b"\x14" * MIB + b"\x15" * MIB)
        self.assertLessEqual(self.blocks(), 47 * MIB)

    def test_a_file_that_taurus_has_not_opened_or_another_one_of_its_name_stays_whole(self) -> None:
        self.consumed(64 * MIB)
        self.space.look()
        self.read_by_taurus(64 * MIB)
        self.consumed(64 * MIB, inode=self.file.stat().st_ino + 1)
        self.space.look()
        self.assertGreaterEqual(self.blocks(), 64 * MIB)

    def test_a_file_system_without_holes_is_asked_once(self) -> None:
        asked = []

        def refuse(*arguments: int) -> None:
            asked.append(arguments)
            raise OSError(95, "Operation not supported")

        self.space.punch = refuse
        self.read_by_taurus(64 * MIB)
        for up_to in (32 * MIB, 64 * MIB):
            self.consumed(up_to)
            with self.assertLogs("volley", "WARNING") if not asked else self.assertNoLogs("volley"):
                self.space.look()
        self.assertEqual(len(asked), 1)

    def test_a_document_that_makes_no_sense_ends_nothing(self) -> None:
        self.consumed(64 * MIB, upTo="much")
        with self.assertLogs("volley", "WARNING"):
            self.space.look()


if __name__ == "__main__":
    unittest.main()
