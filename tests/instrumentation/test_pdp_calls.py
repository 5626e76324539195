"""What becomes of calls to PDPs, as metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from authorizer.instrumentation.pdp_calls import PdpCalls


def lines(registry: CollectorRegistry) -> set[str]:
    text = generate_latest(registry).decode()
    series = (line for line in text.splitlines() if not line.startswith("#"))
    # Which `Metrics` turns off for the whole process.
    return {line for line in series if "_created{" not in line}


def test_calls_retries_and_breakers_are_told_by_endpoint() -> None:
    registry = CollectorRegistry()
    calls = PdpCalls(registry)
    calls.breaker_changed("a", "closed")
    assert lines(registry) == {
        'authorizer_pdp_breaker_state{endpoint="a"} 0.0',
        'authorizer_pdp_retries_total{endpoint="a"} 0.0',
    }
    calls.attempted("a", "late")
    calls.attempted("a", "late")
    calls.retried("a")
    calls.breaker_changed("a", "open")
    assert lines(registry) == {
        'authorizer_pdp_attempts_total{endpoint="a",result="late"} 2.0',
        'authorizer_pdp_breaker_state{endpoint="a"} 2.0',
        'authorizer_pdp_retries_total{endpoint="a"} 1.0',
    }


def test_an_endpoint_that_is_gone_leaves_nothing_and_may_come_back() -> None:
    registry = CollectorRegistry()
    calls = PdpCalls(registry)
    for _ in range(2):
        calls.breaker_changed("a", "half_open")
        calls.attempted("a", "answered")
        assert 'authorizer_pdp_attempts_total{endpoint="a",result="answered"} 1.0' in lines(
            registry
        )
        calls.forgotten("a")
        assert lines(registry) == set()
