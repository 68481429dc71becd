"""S3 that can't be reached is a service that does not answer, whichever call finds it out."""

import pytest

from connectors.errors import ServiceUnavailable
from connectors.lake.storage import delete_table, folders, list_files, write_file

CALLS = [folders, list_files, delete_table, lambda uri: write_file(uri, b"")]


@pytest.mark.parametrize("call", CALLS, ids=["folders", "files", "delete", "write"])
def test_s3_that_is_not_there_is_told(monkeypatch, call):
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "some",
        "AWS_SECRET_ACCESS_KEY": "some",  # pragma: allowlist secret
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ServiceUnavailable, match="Could not connect to the endpoint"):
        call("s3://lake/nowhere")
