"""What Prefect does, and tells, by itself when a run or an event calls for it: automations, as code.

Each is known by its name; applying them again changes only what differs. Like a schedule, a new one is off, and later
stays on or off as it is on the server.
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


def telling(client: SyncPrefectClient, block: str | None) -> ActionTypes:
    """Returns the action that tells people.

    Args:
        client: The server.
        block: Prefect's block that does, `type/name`; None: what happened is only among the server's events.

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
            f"the server has no block {block}", hint="make it in Prefect's user interface, below Blocks"
        ) from None
    body = "{{ automation.description }}\n{{ event.resource.name }}\n{{ event.payload }}"
    return SendNotification(block_document_id=document.id, subject="{{ automation.name }}", body=body)


def plan_automations(client: SyncPrefectClient, *, pool: str, tell: ActionTypes) -> list[AutomationCore]:
    """Returns what is to be on the server, where the deployments are already.

    Args:
        client: The server.
        pool: Name of the deployments.
        tell: The action that tells people.
    """
    marts = client.read_deployment_by_name(f"build-marts/{pool}").id
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
            description=f"A drain was due or began, and none was completed within {DRAIN_MINUTES} minutes.",
            trigger=EventTrigger(
                posture=Posture.Proactive,
                after={"prefect.flow-run.Late", "prefect.flow-run.Running"},
                expect={"prefect.flow-run.Completed"},
                match_related=_of_flows("drain-cdc"),
                threshold=1,
                within=timedelta(minutes=DRAIN_MINUTES),
            ),
            actions=[tell],
        ),
        AutomationCore(
            name=f"lakehouse {pool}: tables differ",
            description="A reconciliation found rows that silver has otherwise than the source.",
            trigger=_when(TABLES_DIFFER),
            actions=[tell],
        ),
        AutomationCore(
            name=f"lakehouse {pool}: flow crashed",
            description="The process of a run died, or its machine.",
            trigger=_when("prefect.flow-run.Crashed", match_related=_of_flows(*_OURS)),
            actions=[tell],
        ),
    ]


def apply_automations(
    client: SyncPrefectClient,
    automations: list[AutomationCore],
    *,
    turned: Literal["on", "off"] | None = None,
) -> list[str]:
    """Brings the server's automations to the plan; returns the names of those that differed.

    Args:
        client: The server.
        automations: What is to be.
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
    """What of an automation is to be as planned, without what the server adds."""
    content = automation.model_dump(mode="json", include={"name", "description", "enabled", "actions"})
    trigger = automation.trigger.model_dump(mode="json", exclude={"id", "type"})
    return content | {"trigger": {key: sorted(v) if isinstance(v, list) else v for key, v in trigger.items()}}


def _when(event: str, **options: Any) -> EventTrigger:
    return EventTrigger(posture=Posture.Reactive, expect={event}, threshold=1, within=timedelta(0), **options)


def _of_flows(*names: str) -> dict[str, str | list[str]]:
    return {"prefect.resource.role": "flow", "prefect.resource.name": list(names)}
