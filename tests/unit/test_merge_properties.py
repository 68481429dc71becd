"""Whatever the transactions, however they are cut into batches and sent again, silver is the source's last state."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.events import PLACEHOLDER, event
from tests.unit.test_merge import Lake, row

KEYS = st.integers(1, 3)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), KEYS, st.booleans()),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("move"), KEYS, KEYS, st.booleans()),
    ),
    min_size=1,
    max_size=25,
)


class Source:
    """A table that changes as PostgreSQL's would, and the events that Debezium makes of it."""

    def __init__(self):
        self.rows = {}
        self.events = []
        self.lsn = 0

    def apply(self, change):
        self.lsn += 10
        kind, key, *rest = change
        if kind == "write":
            self._write(key, new_big=rest[0])
        elif kind == "delete" and key in self.rows:
            self._delete(key)
        elif kind == "move" and key in self.rows and rest[0] not in self.rows:
            self._move(key, rest[0], new_big=rest[1])

    def _say(self, op, image, **more):
        self.events.append(event(op, image, lsn=self.lsn, prev=self.lsn - 5, **more))

    def _write(self, key, *, new_big):
        name, old = f"name {self.lsn}", self.rows.get(key)
        big = f"big {self.lsn}" if old is None or new_big else old[2]
        self.rows[key] = (key, name, big)
        told = big if old is None or new_big else PLACEHOLDER
        self._say("c" if old is None else "u", row(key, name, told))

    def _delete(self, key):
        del self.rows[key]
        self._say("d", row(key, None, None))

    def _move(self, key, to, *, new_big):
        _, name, big = self.rows[key]
        self._delete(key)
        big = f"big {self.lsn}" if new_big else big
        self.rows[to] = (to, name, big)
        self._say("c", row(to, name, big if new_big else PLACEHOLDER), old_key={"id": key})


@given(changes=CHANGES, cuts=st.lists(st.integers(0, 60), max_size=4), again=st.integers(0, 60), late=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_silver_is_the_last_state_of_the_source(tmp_path_factory, changes, cuts, again, late):
    source = Source()
    for change in changes:
        source.apply(change)
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    start = 0
    for cut in [*sorted(min(cut, len(source.events)) for cut in cuts), len(source.events)]:
        lake.receive(*source.events[start:cut])
        if not late:
            lake.merge()
        start = cut
    # A source that was killed sends again what it had not confirmed.
    lake.receive(*source.events[min(again, len(source.events)) :])
    lake.merge()
    assert lake.rows() == sorted(source.rows.values(), key=repr)
    assert not lake.has_quarantine()
