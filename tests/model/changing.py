"""State machines of tables whose columns come and go, and of messages among their changes that can't be read."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from connectors.changes.schema_changes import with_dropped
from connectors.lake.contract_log import record_contracts
from connectors.postgres.contracts import ColumnContract
from tests.model.machine import KeyedSource, KeylessSource

_MOST_CHANGES = 6
_GARBAGE = st.sampled_from([b"no JSON", b'{"op": "x"}', b"[]", b'{"op": "c", "after": null, "source": {"lsn": 1}}'])


class ChangingTable:
    """The rules; beside the name of a column, numbers of its own tell it from one that was there before."""

    def __init__(self):
        super().__init__()
        self.versions = [self.contract]
        self.garbage = 0

    @property
    def can_alter(self):
        return self.database.can_alter and not self.connector.has_chunk and len(self.versions) < _MOST_CHANGES

    @precondition(lambda self: self.can_alter)
    @rule(constant=st.sampled_from([None, "constant"]))
    def add_column(self, constant):
        number = len(self.versions)
        column = ColumnContract(name=f"x{number}", type_name="varchar", number=number, fill=constant)
        self.database.add_column(column.name, constant)
        self.alter(*self.contract.columns, column)

    @precondition(lambda self: self.can_alter and self.database.added)
    @rule(data=st.data())
    def drop_column(self, data):
        name = data.draw(st.sampled_from(sorted(self.database.added)))
        self.database.drop_column(name)
        self.alter(*(column for column in self.contract.columns if column.name != name))

    def alter(self, *columns):
        self.contract = self.contract.model_copy(update={"columns": columns})
        self.versions.append(self.contract)
        record_contracts(self.lake.layout, [self.contract], len(self.versions))
        self.lake.contract = with_dropped(self.versions)

    @rule(garbage=_GARBAGE)
    def send_garbage(self, garbage):
        self.garbage += 1
        self.connector.topic.append((b"{}", garbage, []))

    def finish(self):
        super().finish()
        silver = self.lake.silver()
        if silver.lacks_columns:
            silver.adopt_columns()

    def check(self, found, expected):
        assert found == expected
        rejected = self.lake.select("*", table=self.lake.layout.quarantine) if self.lake.has_quarantine() else []
        assert len(rejected) == self.garbage


class ChangingKeyedSource(ChangingTable, KeyedSource):
    pass


class ChangingKeylessSource(ChangingTable, KeylessSource):
    pass
