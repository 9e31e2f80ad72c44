"""What the API answers, by its types. A number that there is not is null; times are Unix seconds, durations seconds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ActionDone",
    "Cleared",
    "DiagnosticsSummary",
    "EngineSummary",
    "Health",
    "HealthReason",
    "Instrument",
    "InstrumentPage",
    "Live",
    "Metric",
    "Objective",
    "Objectives",
    "Performance",
    "Point",
    "Problem",
    "Ready",
    "ReasonCount",
    "ResourceTrend",
    "Resources",
    "ScannerSummary",
    "Series",
    "Span",
    "Statistic",
    "Summary",
    "System",
    "TradingPerformance",
    "TradingSummary",
]

Status = Literal["healthy", "warning", "critical"]
Kind = Literal["counter", "up_down_counter", "histogram", "gauge"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(_Answer):
    """Why there is no answer."""

    detail: str = Field(description="In words.")


class Statistic(_Answer):
    """What values were like, in the instrument's unit; null where there were none."""

    count: int = Field(description="How many.")
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    latest: float | None = None
    latest_time: float | None = None
    percentiles: dict[str, float] = Field(default={}, description='By percent, as in "99.9"; nearest rank.')


class Point(_Answer):
    """One value as it was recorded."""

    time: float
    value: float | None


class Series(_Answer):
    """What one series has come to since the start: a sum, a last value, or a histogram's number of values."""

    attributes: dict[str, str]
    value: float | None


class EngineSummary(_Answer):
    """The bot's engine."""

    state: str | None = Field(description="Null where the bot tells of none.")
    uptime: float | None
    heartbeat_age: float | None
    positions_open: float | None
    orders_open: float | None
    signals_active: float | None
    errors: float
    cycle_duration: Statistic
    candle_processing_duration: Statistic


class TradingSummary(_Answer):
    """Signals, orders and trades, since the start of the process."""

    signals_generated: float
    signals_rejected: float
    orders_submitted: float
    orders_rejected: float
    order_fills: float
    trades_executed: float
    trades_rejected: float
    trade_profit_loss: Statistic
    trade_execution_duration: Statistic
    tick_to_trade_duration: Statistic


class ScannerSummary(_Answer):
    """Scans, since the start of the process."""

    symbols_scanned: float
    candidates_found: float
    filtered: float
    scan_duration: Statistic


class Summary(_Answer):
    """The bot at a glance."""

    timestamp: float
    service: str
    mode: str
    engine: EngineSummary
    trading: TradingSummary
    scanner: ScannerSummary


class TradingPerformance(_Answer):
    """How trading goes, a row for each set of attributes; null where the bot does not tell."""

    attributes: dict[str, str]
    pnl_realized: float | None = None
    pnl_unrealized: float | None = None
    pnl_daily: float | None = None
    win_rate: float | None = None
    average_win: float | None = None
    average_loss: float | None = None
    profit_factor: float | None = None
    sharpe_ratio: float | None = None
    drawdown_ratio: float | None = None
    drawdown_max_ratio: float | None = None
    trades_per_hour: float | None = None
    trades_per_day: float | None = None


class Performance(_Answer):
    """How the process does at this moment, and how trading goes."""

    timestamp: float | None
    cpu_percent: float | None = Field(description="Of one core.")
    memory_percent: float | None
    memory_used_mb: float | None = Field(description="Of the process, in units of 1,048,576 bytes.")
    disk_usage_percent: float | None
    active_threads: int | None
    open_files: int | None
    network_connections: int | None
    position_holding_duration: Statistic
    trading: list[TradingPerformance]


class Span(_Answer):
    """A figure over some time."""

    mean: float
    least: float
    most: float
    latest: float


class System(_Answer):
    """What the process takes, over the last minutes."""

    timestamp: float | None
    minutes: float
    observations: int
    figures: dict[str, Span]
    limits: dict[str, float]


class ResourceTrend(_Answer):
    """Where a figure is going."""

    slope_per_second: float | None
    r2: float | None
    limit: float | None
    seconds_to_limit: float | None


class ActionDone(_Answer):
    """What became of something that was to be done about a limit."""

    time: float
    action: str
    limit: str
    threshold: float
    value: float | None
    outcome: str
    seconds: float | None
    gained: float | None


class HealthReason(_Answer):
    """One thing that is not as it should be."""

    status: Status
    check: str
    value: float | None = None
    limit: float | None = None
    text: str


class Resources(_Answer):
    """The resource monitor."""

    status: Status
    reasons: list[HealthReason]
    trends: dict[str, ResourceTrend]
    actions: list[ActionDone] = Field(description="The last hundred, the newest first.")


class Health(_Answer):
    """Whether the bot is well."""

    status: Status
    reasons: list[HealthReason] = Field(description="The worst first.")
    timestamp: float


class Live(_Answer):
    """That the event loop turns."""

    status: Literal["alive"] = "alive"


class Ready(_Answer):
    """Whether the bot can do its work."""

    ready: bool
    reasons: list[str] = Field(description="None for who has no key.")


class Metric(_Answer):
    """One instrument."""

    name: str
    prometheus_name: str
    kind: Kind
    unit: str
    description: str
    window: float | None = Field(description="Seconds; null for all values that are kept.")
    statistics: Statistic
    complete: bool = Field(description="Whether no value of the window was forgotten.")
    points: list[Point] = Field(description="The newest, the oldest of them first.")
    series: list[Series] = Field(description="At most a thousand.")


class Instrument(_Answer):
    """One instrument in the list of all."""

    name: str
    prometheus_name: str
    kind: Kind
    unit: str
    series: int
    total: float | None = Field(
        description="Over all series: a counter's sum, a histogram's number of values."
    )
    statistics: Statistic


class InstrumentPage(_Answer):
    """A page of the list of all instruments that have recorded anything."""

    page: int
    per_page: int
    pages: int
    total: int
    items: list[Instrument]


class Objective(_Answer):
    """How an objective stands."""

    name: str
    promise: str
    target: float
    window: float
    covered: float
    good: float
    total: float
    compliance: float | None
    budget_remaining: float | None
    burn_rates: dict[str, float]
    conditions: list[str]
    violated: bool
    since: float | None


class Objectives(_Answer):
    """All objectives."""

    violated: int
    objectives: list[Objective]


class ReasonCount(_Answer):
    """How often something was the reason."""

    reason: str
    count: int


class DiagnosticsSummary(_Answer):
    """Decisions and their reasons."""

    enabled: bool
    session: str | None
    events: int
    reasons: list[ReasonCount] = Field(description="The hundred most frequent.")
    dropped: dict[str, int]


class Cleared(_Answer):
    """What was forgotten; what is exported has not changed."""

    instruments: int
