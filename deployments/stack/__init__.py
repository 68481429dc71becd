"""The local stack: real services on loopback, alone or together."""

from deployments.stack.connect import ConnectService
from deployments.stack.kafka import KafkaService
from deployments.stack.ports import pick_ports
from deployments.stack.postgres import PostgresService
from deployments.stack.prefect_server import PrefectServerService
from deployments.stack.service import Service
from deployments.stack.stack import LocalStack, ServiceStatus
from deployments.stack.start import start_together, stop_in_order
from deployments.stack.worker import WorkerService

__all__ = [
    "ConnectService",
    "KafkaService",
    "LocalStack",
    "PostgresService",
    "PrefectServerService",
    "Service",
    "ServiceStatus",
    "WorkerService",
    "pick_ports",
    "start_together",
    "stop_in_order",
]
