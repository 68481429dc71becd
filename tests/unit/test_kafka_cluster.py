"""The id of a local Kafka cluster."""

import uuid

from deployments.stack.kafka import cluster_id


def test_no_id_is_taken_for_an_option():
    ids = [cluster_id(uuid.UUID(bytes=bytes([first]) * 16)) for first in range(256)]
    assert [found for found in ids if found.startswith("-")] == []
    assert {len(found) for found in ids} == {22}
