"""Automations as code: what Prefect does when a run ends badly or an event arrives.

An automation is identified by its name; applying again changes only what differs. Like a schedule, a new one is off,
and later stays on or off as it is on the server.
"""

from datetime import timedelta
from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import ActionTypes, DoNothing, RunDeployment, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

import flows
from connectors.errors import ConfigurationError
from tasks.events import ROWS_MOVED, TABLES_DIFFER

DRAIN_MINUTES = 15
_OURS = [getattr(flows, name).name for name in flows.__all__]


def notification(client: SyncPrefectClient, block: str | None) -> ActionTypes:
    """Returns the action that sends a notification.

    Args:
        client: The server.
        block: Prefect block that sends it, `type/name`; None: none is sent, the event is in the server's feed.

    Raises:
        ConfigurationError: There is no such block.
    """
    if block is None:
        return DoNothing()
    kind, _, name = block.partition("/")
    try:
        document = client.read_block_document_by_name(name, kind)
    except ObjectNotFound:
        raise ConfigurationError(
            f"the server has no block {block}", hint="create it in Prefect's user interface, under Blocks"
        ) from None
    body = "{{ automation.description }}\n{{ event.resource.name }}\n{{ event.payload }}"
    return SendNotification(block_document_id=document.id, subject="{{ automation.name }}", body=body)


def plan_automations(client: SyncPrefectClient, *, pool: str, notify: ActionTypes) -> list[AutomationCore]:
    """Returns the automations of a pool, whose deployments are on the server already.

    Args:
        client: The server.
        pool: Name of the work pool.
        notify: The action that sends a notification.
    """
    marts = client.read_deployment_by_name(f"build-marts/marts-{pool}").id
    build = RunDeployment(deployment_id=marts, parameters={"only_if_moved": True})
    return [
        AutomationCore(
            name=f"lakehouse {pool}: rows moved",
            description="Builds the marts when a drain has changed silver.",
            trigger=_when(ROWS_MOVED),
            actions=[build],
        ),
        AutomationCore(
            name=f"lakehouse {pool}: drain late",
            description=f"A drain was due or started, and none completed within {DRAIN_MINUTES} minutes.",
            trigger=EventTrigger(
                posture=Posture.Proactive,
                after={"prefect.flow-run.Late", "prefect.flow-run.Running"},
                expect={"prefect.flow-run.Completed"},
                match_related=_of_flows("drain-cdc"),
                threshold=1,
                within=timedelta(minutes=DRAIN_MINUTES),
            ),
            actions=[notify],
        ),
        AutomationCore(
            name=f"lakehouse {pool}: tables differ",
            description="A reconciliation found rows that differ between silver and the source.",
            trigger=_when(TABLES_DIFFER),
            actions=[notify],
        ),
        AutomationCore(
            name=f"lakehouse {pool}: flow crashed",
            description="The process of a run died, or its machine.",
            trigger=_when("prefect.flow-run.Crashed", match_related=_of_flows(*_OURS)),
            actions=[notify],
        ),
    ]


def apply_automations(
    client: SyncPrefectClient,
    automations: list[AutomationCore],
    *,
    turned: Literal["on", "off"] | None = None,
) -> list[str]:
    """Applies a plan to the server; returns the names of automations that differed.

    Args:
        client: The server.
        automations: The plan.
        turned: Turns all on or off; None: they stay as they are, new ones are off.
    """
    changed = []
    for wanted in automations:
        there = next(iter(client.read_automations_by_name(wanted.name)), None)
        enabled = turned == "on" if turned is not None else there is not None and there.enabled
        automation = wanted.model_copy(update={"enabled": enabled})
        if there is not None and _content(there) == _content(automation):
            continue
        changed.append(wanted.name)
        if there is None:
            client.create_automation(automation)
        else:
            client.update_automation(there.id, automation)
    return changed


def _content(automation: AutomationCore | Automation) -> dict[str, Any]:
    """What a plan says of an automation, without what the server adds."""
    content = automation.model_dump(mode="json", include={"name", "description", "enabled", "actions"})
    trigger = automation.trigger.model_dump(mode="json", exclude={"id", "type"})
    return content | {"trigger": {key: sorted(v) if isinstance(v, list) else v for key, v in trigger.items()}}


def _when(event: str, **options: Any) -> EventTrigger:
    return EventTrigger(posture=Posture.Reactive, expect={event}, threshold=1, within=timedelta(0), **options)


def _of_flows(*names: str) -> dict[str, str | list[str]]:
    return {"prefect.resource.role": "flow", "prefect.resource.name": list(names)}
