"""Rows about the process, its host and its HTTP server; most are OpenTelemetry's own, named as it names them."""

from __future__ import annotations

from ticktrace import semconv
from ticktrace.catalog._buckets import BODY_SIZE, HOT_PATH, NETWORK
from ticktrace.catalog._labels import MODE
from ticktrace.catalog._spec import counter, gauge, group, histogram, up_down_counter

__all__ = ["ROWS"]

_REQUEST = (
    semconv.HTTP_REQUEST_METHOD,
    semconv.HTTP_ROUTE,
    semconv.HTTP_RESPONSE_STATUS_CODE,
    semconv.ERROR_TYPE,
    semconv.NETWORK_PROTOCOL_VERSION,
    semconv.URL_SCHEME,
)
_FILESYSTEM = (semconv.SYSTEM_FILESYSTEM_MOUNTPOINT, semconv.SYSTEM_FILESYSTEM_STATE)

# The contrib psutil instrumentation still speaks the conventions of 2022: bare words as attributes and as units.
_STATE = ("state",)
_CPU = ("cpu", "state")
_DEVICE = ("device", "direction")
_TYPE = ("type",)
_GENERATION = (semconv.CPYTHON_GC_GENERATION, "generation")

ROWS = (
    *group(
        "HTTP",
        histogram(
            "http.server.request.duration",
            "s",
            "Duration of HTTP server requests.",
            NETWORK,
            _REQUEST,
            "http_request_duration_seconds",
            "http_requests_total",
            "http_errors_total",
        ),
        histogram(
            "http.server.request.body.size",
            "By",
            "Size of HTTP server request bodies.",
            BODY_SIZE,
            _REQUEST,
            "http_request_size_bytes",
        ),
        histogram(
            "http.server.response.body.size",
            "By",
            "Size of HTTP server response bodies.",
            BODY_SIZE,
            _REQUEST,
            "http_response_size_bytes",
        ),
        up_down_counter(
            "http.server.active_requests",
            "{request}",
            "Number of active HTTP server requests.",
            (semconv.HTTP_REQUEST_METHOD, semconv.URL_SCHEME),
        ),
        recorded_by="otel",
    ),
    *group(
        "process",
        counter("process.cpu.time", "s", "Total CPU seconds broken down by different states.", _TYPE),
        gauge(
            "process.cpu.utilization",
            "1",
            "Difference in process.cpu.time since the last measurement, divided by the elapsed time and number of CPUs "
            "available to the process.",
        ),
        counter(
            "process.context_switches", "", "Number of times the process has been context switched.", _TYPE
        ),
        up_down_counter("process.memory.usage", "By", "The amount of physical memory in use."),
        up_down_counter("process.memory.virtual", "By", "The amount of committed virtual memory."),
        up_down_counter(
            "process.open_file_descriptor.count",
            "",
            "Number of file descriptors in use by the process.",
            (),
            "open_files",
        ),
        up_down_counter("process.thread.count", "", "Process threads count.", (), "active_threads"),
        counter("process.disk.io", "By", "Disk bytes transferred for the process.", ("direction",)),
        counter(
            "cpython.gc.collections",
            "{collection}",
            "The number of times a generation was collected since interpreter start.",
            _GENERATION,
        ),
        counter(
            "cpython.gc.collected_objects",
            "{object}",
            "The total number of objects collected since interpreter start.",
            _GENERATION,
        ),
        counter(
            "cpython.gc.uncollectable_objects",
            "{object}",
            "The total number of uncollectable objects found since interpreter start.",
            _GENERATION,
        ),
        recorded_by="otel",
    ),
    # Facts of the interpreter, not of trading, so without our prefix. Neither OpenTelemetry's conventions nor its
    # instrumentations have them; `cpython.` and `process.` are its namespaces to fill, `python.` is nobody's.
    *group(
        "python",
        histogram(
            "python.gc.pause.duration",
            "s",
            "Time that a garbage collection stopped the process.",
            HOT_PATH,
            (semconv.CPYTHON_GC_GENERATION,),
        ),
        histogram(
            "python.event_loop.lag",
            "s",
            "How much later than asked the asyncio event loop ran a callback.",
            HOT_PATH,
        ),
    ),
    # A clock is skewed against another one. The one that matters is the venue's, which refuses what is signed too late.
    *group(
        "clock",
        gauge("trading.clock.skew", "s", "Local clock minus the venue's.", (semconv.VENUE, *MODE)),
    ),
    *group(
        "host",
        counter("system.cpu.time", "s", "System CPU time", _CPU),
        gauge(
            "system.cpu.utilization",
            "1",
            "System CPU utilization",
            _CPU,
            "system_cpu_usage_percent",
            "cpu_percent",
        ),
        gauge(
            "system.memory.usage",
            "By",
            "System memory usage",
            _STATE,
            "system_memory_usage_bytes",
            "memory_used_mb",
        ),
        gauge("system.memory.utilization", "1", "System memory utilization", _STATE, "memory_percent"),
        gauge("system.swap.usage", "pages", "System swap usage", _STATE),
        gauge("system.swap.utilization", "1", "System swap utilization", _STATE),
        counter("system.disk.io", "By", "System disk IO", _DEVICE),
        counter("system.disk.operations", "operations", "System disk operations", _DEVICE),
        counter("system.disk.time", "s", "System disk time", _DEVICE),
        counter("system.network.dropped_packets", "packets", "System network dropped_packets", _DEVICE),
        counter("system.network.packets", "packets", "System network packets", _DEVICE),
        counter("system.network.errors", "errors", "System network errors", _DEVICE),
        counter("system.network.io", "By", "System network io", _DEVICE),
        up_down_counter(
            "system.network.connections",
            "connections",
            "System network connections",
            ("family", "protocol", "state", "type"),
            "network_connections",
        ),
        gauge("system.thread_count", "", "System active threads count"),
        recorded_by="otel",
    ),
    # Named by OpenTelemetry and asked for by the seeds, but no instrumentation records them: ticktrace does.
    *group(
        "host",
        gauge("system.uptime", "s", "The time the system has been running.", (), "system_uptime_seconds"),
        up_down_counter(
            "system.filesystem.usage",
            "By",
            "Reports a filesystem's space usage across different states.",
            _FILESYSTEM,
            "system_disk_usage_bytes",
        ),
        gauge(
            "system.filesystem.utilization",
            "1",
            "Fraction of filesystem bytes used.",
            _FILESYSTEM,
            "disk_usage_percent",
        ),
    ),
)
