"""The catalog and the user's wishes as OpenTelemetry views: for each instrument exactly one stream.

OpenTelemetry exports one stream for every view that matches, so two views for one instrument count everything twice.
Here each instrument has one view, and what is said about it is laid over one another, the later on top:

1. the catalog's row: its buckets, and its attributes as an allow-list;
2. the user's views (`metrics.views`), the less specific first. The more letters a pattern names the more specific it
   is: ``*``, then ``trading.*``, then ``trading.candle.*``, then an exact name; among equals the order of the settings.
   What a view leaves open stays as it was: a view that sets only `keep_attributes` leaves the buckets alone.
   `buckets` and `exponential` are for histograms and leave the rest alone. `drop` is taken back by a more specific view
   that applies and does not drop: ``*`` dropped and attributes given for ``trading.*`` keeps trading and nothing else;
3. the thresholds of objectives (`slo.objectives`, `slo.thresholds`), which join explicit buckets as boundaries: the part of measurements
   at or below a threshold is then exact in PromQL, not interpolated.

Instruments outside the catalog, such as those of third-party instrumentations, have a view when one of the user's is
for them, and are the SDK's business otherwise. Catalog rows that OpenTelemetry instrumentations record get buckets but
no allow-list: which attributes they carry is theirs to decide, and changes with their versions.
"""

from ticktrace.views._build import Stream, build_views, streams_of
from ticktrace.views._check import check_instruments

__all__ = ["Stream", "build_views", "check_instruments", "streams_of"]
