"""The proxy that fails S3 on purpose: each fault as a plain client sees it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tests.crash.proxy import ANSWERS, WITHOUT_ANSWER, s3_proxy
from tests.s3 import BUCKET, local_s3

BODY = b"0123456789" * 10_000


@pytest.fixture(scope="module")
def proxy():
    with local_s3(), s3_proxy() as proxy:
        yield proxy


@pytest.fixture
def s3(proxy):
    client = client_of(proxy, read_timeout=1)
    yield client
    proxy.heal()
    client.close()


def client_of(proxy, *, read_timeout):
    config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout)
    return boto3.client("s3", config=config, endpoint_url=proxy.url)


def put(s3, key):
    s3.put_object(Bucket=BUCKET, Key=key, Body=BODY)


def get(s3, key):
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def exists(s3, key):
    return s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] > 0


def test_everything_passes_as_it_comes(proxy, s3):
    put(s3, "a key/with ümlaut?")
    assert get(s3, "a key/with ümlaut?") == BODY
    assert s3.head_object(Bucket=BUCKET, Key="a key/with ümlaut?")["ContentLength"] == len(BODY)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=BUCKET, Key="a key/with ümlaut?", IfNoneMatch="*")
    assert [method for method, _ in proxy.requests] == ["PUT", "GET", "HEAD", "PUT"]
    assert proxy.failed == []


@pytest.mark.parametrize(("status", "code"), ANSWERS.items())
def test_answers_that_say_what_is_wrong(proxy, s3, status, code):
    proxy.fail(status)
    with pytest.raises(ClientError, match=code):
        put(s3, f"said {status}")
    assert not exists(s3, f"said {status}")


def test_answer_that_says_the_work_failed_when_it_did_not(proxy, s3):
    proxy.fail("500-after")
    with pytest.raises(ClientError, match="InternalError"):
        put(s3, "500-after")
    assert exists(s3, "500-after")


@pytest.mark.parametrize("fault", WITHOUT_ANSWER)
def test_connections_that_break_while_writing(proxy, s3, fault):
    proxy.fail(fault)
    with pytest.raises(HTTPClientError, match=r"(Read timeout|Connection was closed)"):
        put(s3, f"met {fault}")
    assert exists(s3, f"met {fault}") == (fault == "reset-after")


@pytest.mark.parametrize("fault", WITHOUT_ANSWER)
def test_connections_that_break_while_reading(proxy, s3, fault):
    put(s3, "there")
    proxy.fail(fault)
    with pytest.raises(HTTPClientError, match=r"(Read timeout|Connection was closed|response stream)"):
        get(s3, "there")
    assert get(s3, "there") == BODY


def test_the_nth_request_fails_once_or_for_good(proxy, s3):
    put(s3, "k")

    def outcomes(**how):
        proxy.fail("500", **how)
        seen = []
        for _ in range(4):
            try:
                seen.append(get(s3, "k") == BODY)
            except ClientError:
                seen.append(False)
        return seen

    assert outcomes(nth=2) == [True, False, True, True]
    assert outcomes(nth=3, for_good=True) == [True, True, False, False]
    assert outcomes(nth=1, only=lambda method, path: method == "PUT") == [True] * 4


def test_healing_lets_go_of_a_request_that_hangs(proxy, s3):
    patient = client_of(proxy, read_timeout=60)
    hanging = threading.Event()
    proxy.fail("time-out", only=lambda method, path: hanging.set() or True)
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(put, patient, "hung")
        hanging.wait(60)
        proxy.heal()
        with pytest.raises(HTTPClientError, match="Connection was closed"):
            hung.result(30)
    patient.close()
