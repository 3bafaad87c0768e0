"""The life of a job against a registry kept in a few variables: whatever happens, the two agree where it matters."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tocsin.evidence.jobs.lifecycle import HOLDING, OutOfOrder, after, file_after
from tocsin.model.evidence import CLOSED

DELIVERING = ("locked", "fetching")


class Life(RuleBasedStateMachine):
    """`lock`: whose it is by the registry: nobody's (""), "us", "other"; `gone`: the registry no longer has the job."""

    def __init__(self):
        super().__init__()
        self.state = "seen"
        self.lock = ""
        self.gone = False
        self.finals = 0
        self.attempts = 0

    def step(self, event):
        self.state = after(self.state, event)

    def answer(self, mine, event, lost):
        """Our call was carried out if it is ours; the answer may not reach us."""
        if lost:
            return
        self.step(event if mine else "lost")

    @precondition(lambda self: self.state == "seen" or self.state in CLOSED)
    @rule(lost=st.booleans(), carried_out=st.booleans())
    def pick(self, lost, carried_out):
        if self.gone or self.lock == "other":
            self.step("picked")
            self.step("unanswered" if lost else "refused")
            return
        self.step("picked")
        self.attempts += 1
        if lost:
            self.lock = "us" if carried_out else self.lock
            self.step("unanswered")
        elif self.lock == "us":  # a lock call of before had been carried out
            self.step("refused")
            self.lock = ""
        else:
            self.lock = "us"
            self.step("granted")

    @precondition(lambda self: self.state == "seen")
    @rule()
    def renew_unsure(self):
        self.step("granted" if self.lock == "us" and not self.gone else "lost")

    @precondition(lambda self: self.state == "locked")
    @rule()
    def plan(self):
        self.step("planned")

    @precondition(lambda self: self.state in DELIVERING)
    @rule(event=st.sampled_from(["decided", "put_off", "nonsense"]))
    def decide(self, event):
        self.step(event)

    @precondition(lambda self: self.state in ("ending", "releasing", "cancelling"))
    @rule(lost=st.booleans())
    def tell(self, lost):
        mine = self.lock == "us" and not self.gone
        if mine:
            self.finals += self.state != "releasing"
            self.gone = self.state != "releasing"
            self.lock = ""
        if not lost or not mine:  # an answer that was lost is asked for again, and then it is not ours
            self.step("told" if mine or lost else "lost")

    @precondition(lambda self: self.state in HOLDING)
    @rule()
    def fence(self):
        self.step("lost")

    @rule()
    def lock_runs_out(self):
        if self.state not in HOLDING:  # else the fence has come first
            self.lock = ""

    @rule()
    def people_withdraw(self):
        self.gone, self.lock = True, ""

    @precondition(lambda self: not self.lock and not self.gone)
    @rule()
    def another_agent(self):
        self.lock = "other"

    @invariant()
    def nobody_ends_it_twice(self):
        assert self.finals <= 1

    @invariant()
    def what_is_delivered_is_ours_or_gone(self):
        if self.state in DELIVERING:
            assert self.lock == "us" or self.gone

    @invariant()
    def nothing_but_a_new_attempt_leaves_an_end(self):
        if self.state in CLOSED:
            for event in ("granted", "planned", "decided", "told", "lost", "put_off", "nonsense"):
                with pytest.raises(OutOfOrder):
                    after(self.state, event)


Life.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase


def test_the_way_of_a_file():
    state = "init"
    for event, expected in (
        ("begun", "uploading"),
        ("sending", "commit_sent"),
        ("stored", "committed"),
        ("taken", "done"),
    ):
        state = file_after(state, event)
        assert state == expected
    for event in ("begun", "again", "given_up"):
        with pytest.raises(OutOfOrder):
            file_after("done", event)
    assert file_after("commit_sent", "again") == "init"
    assert file_after("uploading", "given_up") == "abandoned"
