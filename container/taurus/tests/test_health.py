"""Control groups of both versions as folders, as containers and machines see them; and the rows that are made of them."""

import os
import tempfile
import unittest
from pathlib import Path

from volley_worker.control_group import ControlGroup, Reading
from volley_worker.folders import Folders
from volley_worker.health import HEADER, Health, row

# A container of containerd with a limit of half a processor and 512 MiB, on a machine with version 2.
IN_A_CONTAINER_2 = {
    "proc/self/cgroup": "0::/\n",
    "proc/self/mountinfo": "600 590 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 7000000\nuser_usec 1\nnr_periods 40\nnr_throttled 4\nthrottled_usec 90000\nnr_bursts 0\n",
    "sys/fs/cgroup/cpu.max": "50000 100000\n",
    "sys/fs/cgroup/memory.current": "300000000\n",
    "sys/fs/cgroup/memory.max": "536870912\n",
    "sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 40000000\n",
}
MEASURED_2 = Reading(7_000_000, 0.5, 40, 4, 90_000, 260_000_000, 536_870_912)

# The same with version 1: the way is that of the machine, the mounts show the container's own groups.
POD = "/kubepods/burstable/pod1/c1"
V1 = "ro,nosuid,nodev,noexec,relatime master:11 - cgroup cgroup rw"
IN_A_CONTAINER_1 = {
    "proc/self/cgroup": f"4:memory:{POD}\n3:cpu,cpuacct:{POD}\n1:name=systemd:{POD}\n0::/system.slice/containerd.service\n",
    "proc/self/mountinfo": (
        f"601 600 0:30 {POD} /sys/fs/cgroup/systemd {V1},xattr,name=systemd\n"
        f"602 600 0:31 {POD} /sys/fs/cgroup/cpu,cpuacct {V1},cpu,cpuacct\n"
        f"603 600 0:32 {POD} /sys/fs/cgroup/memory {V1},memory\n"
        "604 600 0:33 / /proc ro - proc proc rw\n"
    ),
    "sys/fs/cgroup/cpu,cpuacct/cpuacct.usage": "7000000999\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 40\nnr_throttled 4\nthrottled_time 90000999\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "300000000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
    "sys/fs/cgroup/memory/memory.stat": "inactive_file 7\ntotal_inactive_file 40000000\n",
}


def below(group: str, files: dict[str, str]) -> dict[str, str]:
    return {f"sys/fs/cgroup/{group}/{name}": content for name, content in files.items()}


class WithFolders(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def lay(self, files: dict[str, str]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def reading(self, *files: dict[str, str], processors: int = 4) -> Reading:
        for each in files:
            self.lay(each)
        return ControlGroup(self.root, processors).read()


class TheControlGroup(WithFolders):
    def test_of_version_2_a_container_sees_its_own(self) -> None:
        self.assertEqual(self.reading(IN_A_CONTAINER_2), MEASURED_2)

    def test_of_version_1_a_container_sees_its_own_by_the_root_of_the_mount(self) -> None:
        self.assertEqual(self.reading(IN_A_CONTAINER_1), MEASURED_2)

    def test_of_version_1_with_a_namespace_the_way_is_short(self) -> None:
        ways = {name: text.replace(POD, "/") for name, text in IN_A_CONTAINER_1.items() if name.startswith("proc")}
        self.assertEqual(self.reading(IN_A_CONTAINER_1, ways), MEASURED_2)

    def test_a_way_that_the_mount_does_not_show_is_the_root_of_the_mount(self) -> None:
        for way in ("/elsewhere/c2", "/../c2", POD + "2"):
            ways = {"proc/self/cgroup": f"4:memory:{way}\n3:cpu,cpuacct:{way}\n"}
            self.assertEqual(self.reading(IN_A_CONTAINER_1, ways), MEASURED_2, way)

    def test_on_a_machine_the_way_is_followed_and_the_tightest_limit_of_the_parents_counts(self) -> None:
        machine = {
            "proc/self/cgroup": "0::/a.slice/b.scope\n",
            "proc/self/mountinfo": "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
        }
        own = {"cpu.stat": "usage_usec 5\n", "cpu.max": "max 100000\n", "memory.current": "9\n", "memory.max": "max\n"}
        parent = {"cpu.stat": "usage_usec 99\n", "cpu.max": "150000 100000\n", "memory.max": "1000\n", "memory.current": "500\n"}
        root = {"sys/fs/cgroup/cpu.stat": "usage_usec 1000\n"}
        read = self.reading(machine, root, below("a.slice", parent), below("a.slice/b.scope", own))
        self.assertEqual(read, Reading(cpu=5, processors=1.5, memory=9, memory_limit=1000))

    def test_without_a_limit_there_are_the_processors_that_it_may_run_on(self) -> None:
        free = {
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        }
        read = self.reading(IN_A_CONTAINER_1, free)
        self.assertEqual((read.processors, read.memory_limit), (4, None))

    def test_a_limit_above_the_processors_is_none(self) -> None:
        self.assertEqual(self.reading(IN_A_CONTAINER_2, {"sys/fs/cgroup/cpu.max": "900000 100000"}).processors, 4)

    def test_what_cannot_be_read_is_not_zero(self) -> None:
        self.assertEqual(self.reading(), Reading())
        nonsense = {name: "nonsense\n\0\xff" for name in IN_A_CONTAINER_2 if name.startswith("sys")}
        self.assertEqual(self.reading(IN_A_CONTAINER_2, nonsense), Reading())

    def test_a_space_in_a_path_is_understood(self) -> None:
        mount = {"proc/self/mountinfo": "600 590 0:27 / /sys/fs/my\\040group ro - cgroup2 cgroup rw\n"}
        files = {name.replace("fs/cgroup", "fs/my group"): text for name, text in IN_A_CONTAINER_2.items()}
        self.assertEqual(self.reading(files, mount), MEASURED_2)

    def test_this_machine_has_one(self) -> None:
        first, second = ControlGroup().read(), ControlGroup().read()
        assert first.cpu is not None and second.cpu is not None and first.processors is not None
        self.assertGreaterEqual(second.cpu, first.cpu)
        self.assertGreater(first.processors, 0)


class ARow(unittest.TestCase):
    def test_it_is_what_the_counters_have_grown_by(self) -> None:
        later = Reading(7_480_000, 0.5, 50, 9, 290_000, 270_000_000, 536_870_912)
        self.assertEqual(row(1795582173, 1.00005, MEASURED_2, later), "1795582173,1000050,480000,500025,10,5,200000,270000000,536870912")
        self.assertEqual(HEADER.count(","), 8)

    def test_what_is_not_known_or_was_begun_anew_is_empty(self) -> None:
        self.assertEqual(row(7, 1.0, Reading(), Reading()), "7,1000000,,,,,,,")
        self.assertEqual(row(7, 1.0, Reading(), MEASURED_2), "7,1000000,,,,,,260000000,536870912")
        self.assertEqual(row(7, 1.0, Reading(cpu=9, processors=2), Reading(cpu=5, processors=2)), "7,1000000,,,,,,,")
        self.assertEqual(row(7, 1.0, Reading(), Reading(memory_limit=9)), "7,1000000,,,,,,,")


class TheFile(WithFolders):
    def setUp(self) -> None:
        super().setUp()
        self.lay(IN_A_CONTAINER_2)
        self.work = self.root / "work"
        (self.work / "status").mkdir(parents=True)
        self.notes: list[str] = []
        folders = Folders.from_environment({"VOLLEY_WORK_DIR": str(self.work)})
        self.health = Health(folders, self.notes.append, ControlGroup(self.root, 4))
        self.path = self.work / "status" / "health.csv"

    def release(self) -> None:
        (self.work / "status" / "released.json").touch()

    def rows(self) -> list[str]:
        return self.path.read_text().splitlines()[1:]

    def test_it_begins_with_the_opening_of_the_gate_and_has_a_row_a_second(self) -> None:
        self.health.look(100.2, 5.2)
        self.assertFalse(self.path.exists())
        self.release()
        for hundredths in range(30, 330, 10):
            self.health.look(100 + hundredths / 100, 5 + hundredths / 100)
        self.assertEqual(self.path.read_text().splitlines()[0], HEADER)
        seconds = [line.split(",")[:2] for line in self.rows()]
        self.assertEqual(seconds, [["100", "700000"], ["101", "1000000"], ["102", "1000000"]])

    def test_a_gate_that_opens_just_before_a_second_is_over_has_a_longer_first_row(self) -> None:
        self.release()
        for wall in (100.8, 101.1, 101.4, 102.0):
            self.health.look(wall, wall)
        self.assertEqual([line.split(",")[:2] for line in self.rows()], [["100", "600000"], ["101", "600000"]])

    def test_a_launcher_that_was_held_up_says_so_in_one_row(self) -> None:
        self.release()
        self.health.look(100.0, 0.0)
        self.health.look(107.0, 7.0)
        self.assertEqual([line.split(",")[:2] for line in self.rows()], [["106", "7000000"]])

    def test_a_file_that_a_script_has_put_there_is_left_alone_and_said_once(self) -> None:
        for put in (lambda: self.path.write_text("x"), lambda: os.symlink(self.root / "elsewhere", self.path)):
            self.path.unlink(missing_ok=True)
            put()
            notes: list[str] = []
            folders = Folders.from_environment({"VOLLEY_WORK_DIR": str(self.work)})
            health = Health(folders, notes.append, ControlGroup(self.root, 4))
            self.release()
            for second in range(5):
                health.look(100.0 + second, float(second))
            self.assertEqual(len(notes), 1, notes)
            self.assertFalse((self.root / "elsewhere").exists())
        self.assertTrue(self.path.is_symlink())

    def test_a_container_without_a_control_group_has_empty_rows_and_a_note(self) -> None:
        (self.root / "proc/self/mountinfo").write_text("")
        self.health = Health(Folders.from_environment({"VOLLEY_WORK_DIR": str(self.work)}), self.notes.append, ControlGroup(self.root, 4))
        self.release()
        self.health.look(100.0, 0.0)
        self.health.look(101.0, 1.0)
        self.assertEqual(self.rows(), ["100,1000000,,,,,,,"])
        self.assertEqual(len(self.notes), 1)
