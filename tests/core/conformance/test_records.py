"""docs/conformance.md and what it is made from."""

from __future__ import annotations

import pytest

from conformance import records
from conformance.records import Record

KEPT = records.records()


def test_the_page_is_made_from_the_records() -> None:
    assert records.PAGE.read_text() == records.page(KEPT), "make conformance ARGS=--record writes it"


@pytest.mark.parametrize("record", KEPT, ids=lambda record: record.folder.name)
def test_what_is_counted_stands_in_the_results_of_the_suite(record: Record) -> None:
    lines = (record.folder / records.RESULTS).read_text().splitlines()
    whole = [line.split()[1:3] for line in lines if line.startswith("    --- ")]
    ended = {word: [name for result, name in whole if result == word] for word in ("PASS:", "FAIL:", "SKIP:")}
    run = record.run
    assert len(ended["PASS:"]) == run["gateway"]["passed"] + run["mesh"]["passed"]
    assert len(ended["FAIL:"]) == run["gateway"]["failed"] + run["mesh"]["failed"]
    assert len(ended["SKIP:"]) == run["gateway"]["skipped"] + run["mesh"]["skipped"]


@pytest.mark.parametrize("record", KEPT, ids=lambda record: record.folder.name)
def test_the_report_is_of_the_channel_that_the_page_names(record: Record) -> None:
    assert record.report["gatewayAPIChannel"] == record.run["channel"]
    assert record.report["gatewayAPIVersion"] == "v1.7.0"
