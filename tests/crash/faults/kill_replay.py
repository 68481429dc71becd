from functools import partial

from confluent_kafka import Producer

from connectors.cdc.contract_check import check_contracts
from connectors.cdc.replay import replay_table
from connectors.debezium.config import topic_name
from tests.crash.fault import CHEAP, Fault
from tests.crash.source import BULK


class KillReplay(Fault):
    """The process dies of SIGKILL while it tries messages again that can't be read."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        producer = Producer({"bootstrap.servers": world.services.kafka.address})
        producer.produce(topic_name(world.settings.cdc.source, BULK), value=b"no JSON")
        assert producer.flush(60) == 0
        world.drain().require(clean=True)
        world.source.change(rng)
        replaying = world.start_drain(then=partial(_replay, table=BULK))
        killed = self.kill(replaying, rng, within=2 * world.seconds)
        world.drain(then=partial(_replay, table=BULK)).require(clean=True)
        return int(killed)


def _replay(settings, *, table):
    replay_table(settings, table, checked=check_contracts(settings))
