"""The service against its own OpenAPI document: what Schemathesis makes up never breaks it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

schemathesis = pytest.importorskip("schemathesis", reason="needs the extra test-serve")


def test_the_service_does_what_its_document_says(server):
    """All checks but one: a text that is no structure fits the document and is refused."""
    checks = schemathesis.checks
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    n_operations = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        n_operations += 1

        @settings(
            max_examples=5,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case) -> None:
            case.call_and_validate(
                base_url=server.address,
                timeout=30,
                excluded_checks=[checks.positive_data_acceptance],
            )

        ask()
    assert n_operations == 13
