"""Messages to people: what is wrong, and that it is over; and a sign of life for those who watch from outside."""

from ticktrace.notify._channels import Channel, check_notifications, open_channels
from ticktrace.notify._dead_man import DeadMan
from ticktrace.notify._message import Alert, Message
from ticktrace.notify._notifier import Notifier
from ticktrace.notify._sender import Sender

__all__ = [
    "Alert",
    "Channel",
    "DeadMan",
    "Message",
    "Notifier",
    "Sender",
    "check_notifications",
    "open_channels",
]
