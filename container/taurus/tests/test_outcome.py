"""Exit codes and the order of a stop."""

import itertools
import unittest

from volley_worker.launcher import Limits, StopAction, StopOrder
from volley_worker.outcome import ExitCode, Seen, decide


def expected(seen: Seen) -> ExitCode:
    """The contract's table, row by row, first match."""
    rows = [
        (seen.released and (seen.samples or seen.stopped or seen.evicted), ExitCode.DONE),
        (seen.released, ExitCode.NO_RESULT),
        (seen.refused, ExitCode.REFUSED),
        (seen.failed, ExitCode.NEEDS_CHANGE),
        (seen.stopped, ExitCode.DONE),
        (seen.evicted, ExitCode.BROKEN_CONTRACT),
        (seen.prepared, ExitCode.BROKEN_CONTRACT),
        (True, ExitCode.NEEDS_CHANGE),
    ]
    return next(code for holds, code in rows if holds)


class ExitCodes(unittest.TestCase):
    def test_every_combination_follows_the_contract(self) -> None:
        for values in itertools.product((False, True), repeat=7):
            seen = Seen(*values)
            with self.subTest(seen=seen):
                self.assertEqual(decide(seen), expected(seen))

    def test_a_script_is_never_blamed_once_the_gate_was_open(self) -> None:
        for values in itertools.product((False, True), repeat=6):
            self.assertNotEqual(decide(Seen(True, *values)), ExitCode.NEEDS_CHANGE)

    def test_the_numbers_are_those_of_the_jobs_rules(self) -> None:
        self.assertEqual([int(code) for code in ExitCode], [0, 64, 65, 66, 70])


class TheOrderOfAStop(unittest.TestCase):
    limits = Limits(stop=75, repeat=2)

    def actions(self, seconds: float, **given: bool) -> list[tuple[float, StopAction]]:
        order, found = StopOrder(self.limits), []
        for tick in range(int(seconds * 10)):
            action = order.next(tick / 10, given.get("asked", False), given.get("evicted", False), given.get("shutting_down", False))
            if action:
                found.append((tick / 10, action))
        return found

    def test_nothing_happens_without_a_stop(self) -> None:
        self.assertEqual(self.actions(200), [])

    def test_the_collectors_stop_is_the_gates_matter_until_force_is_due_once(self) -> None:
        self.assertEqual(self.actions(200, asked=True), [(75.0, StopAction.FORCE)])

    def test_an_eviction_is_passed_on_again_and_again_until_taurus_obeys(self) -> None:
        found = self.actions(80, evicted=True)
        self.assertEqual([at for at, action in found[:4]], [0.0, 2.0, 4.0, 6.0])
        self.assertEqual(found[-1], (75.0, StopAction.FORCE))

    def test_taurus_that_is_ending_is_left_alone(self) -> None:
        self.assertEqual(self.actions(70, evicted=True, shutting_down=True), [])
