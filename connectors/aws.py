"""Clients of AWS, and what their errors mean."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.loaders import create_loader
from botocore.session import Session

from connectors.errors import ConfigurationError, ServiceUnavailable
from connectors.settings import AwsSettings

_CONFIG = Config(retries={"mode": "adaptive", "max_attempts": 10}, connect_timeout=10, read_timeout=60)
_REFUSALS = frozenset(
    (
        "AccessDenied",
        "AccessDeniedException",
        "InvalidAccessKeyId",
        "NoSuchBucket",
        "ResourceNotFoundException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "ValidationException",
    )
)

_models = cache(create_loader)
"""What botocore knows of the services: to read it for each client anew takes ten times as long as all else."""


def aws_client(aws: AwsSettings, service: str) -> Any:
    """Returns a client of a service; throttled requests are repeated, ever more slowly."""
    secret = aws.secret_access_key
    with aws_errors(service):
        session = Session()
        session.register_component("data_loader", _models(session.get_config_variable("data_path")))
        return session.create_client(
            service,
            endpoint_url=aws.endpoint_url,
            # botocore knows AWS_DEFAULT_REGION alone; AWS itself, and delta-rs, say AWS_REGION.
            region_name=aws.region or os.environ.get("AWS_REGION"),
            aws_access_key_id=aws.access_key_id,
            aws_secret_access_key=None if secret is None else secret.get_secret_value(),
            config=_CONFIG,
        )


def error_code(error: ClientError) -> str:
    """The code of what AWS answered."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def aws_errors(what: str) -> Iterator[None]:
    """Turns what AWS answers into this library's errors.

    Args:
        what: What is asked, for people.

    Raises:
        ConfigurationError: AWS refuses.
        ServiceUnavailable: It does not answer, or only later: also where credentials have expired, as a retry takes new
            ones.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
        raise ConfigurationError(f"{what}: {error}", hint="set AWS_REGION, and credentials or a role") from error
    except ClientError as error:
        if error_code(error) in _REFUSALS:
            raise ConfigurationError(
                f"{what}: AWS refuses: {error}", hint="check the name, the region and what these credentials may read"
            ) from error
        raise ServiceUnavailable(f"{what}: {error}", hint="try again; expired credentials are to be renewed") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(f"{what}: {error}", hint="try again; check that AWS can be reached") from error
