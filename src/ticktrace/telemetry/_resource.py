"""Who sends: the resource that every span, metric and log record of this process carries."""

from __future__ import annotations

import os
import platform
import socket
import uuid
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import OsResourceDetector, ProcessResourceDetector, Resource

from ticktrace._version import __version__

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from ticktrace.settings import Settings

__all__ = ["detect_resource"]

# A bot's command line may hold its API keys.
_SECRET_PRONE = ("process.command_args", "process.command_line", "process.command")


def _detected() -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {"host.name": socket.gethostname(), "host.arch": platform.machine()}
    for detector in (OsResourceDetector(), ProcessResourceDetector()):
        found.update(detector.detect().attributes)
    for key in _SECRET_PRONE:
        found.pop(key, None)
    return found


def detect_resource(settings: Settings, *, forked: bool = False) -> Resource:
    """The resource of this process.

    Args:
        settings: its service, environment and further attributes outrank what is detected.
        forked: True in a forked child, which must not pass for its parent: an instance id from the settings gets the
            process id behind it, a detected one is new in any case.

    Follows the semantic conventions for service, deployment, host, process and telemetry distro.
    """
    service = settings.service
    instance = service.instance_id or settings.resource.attributes.get("service.instance.id")
    if instance is None:
        instance = str(uuid.uuid4())
    elif forked:
        instance = f"{instance}-{os.getpid()}"
    attributes: dict[str, AttributeValue] = {
        **_detected(),
        **settings.resource.attributes,
        "service.name": service.name,
        "service.instance.id": instance,
        "telemetry.distro.name": "ticktrace",
        "telemetry.distro.version": __version__,
    }
    optional = {
        "service.version": service.version,
        "service.namespace": service.namespace,
        "deployment.environment.name": service.environment,
    }
    attributes.update({key: value for key, value in optional.items() if value is not None})
    return Resource.create(attributes)
