"""What a run says about itself."""

from collections import Counter

import pytest

from isthmus.sync import Report


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (Report(), "nothing changed: there is nothing to look at"),
        (Report(Counter(unchanged=3)), "nothing changed: 3 unchanged"),
        (
            Report(Counter(unchanged=3), notes=["no changes since the cursor"]),
            "nothing changed: no changes since the cursor",
        ),
        (Report(skipped=Counter({"not selected": 2})), "nothing changed: 2 skipped (not selected)"),
        (Report(Counter(created=1, parked=2)), "1 created, 2 parked"),
        (Report(Counter(parked=1)), "1 parked"),
        (Report(Counter(conflict=1)), "1 conflict"),
        (Report(Counter(delayed=1)), "1 delayed"),
        (Report(Counter(forgotten=1), Counter(draft=1)), "1 forgotten, 1 skipped (draft)"),
        (Report(Counter(created=0, unchanged=1)), "nothing changed: 1 unchanged"),
    ],
)
def test_the_sentence(report: Report, sentence: str) -> None:
    """It says what was done, or that nothing was and why."""
    assert report.sentence() == sentence


def test_reports_add_up() -> None:
    """Counts are summed, a note is told once."""
    total = Report(Counter(created=1), Counter(draft=1), ["why"])
    total.add(Report(Counter(created=2, updated=1), Counter(draft=1), ["why", "also"]))

    assert total.as_json() == {
        "done": {"created": 3, "updated": 1},
        "skipped": {"draft": 2},
        "notes": ["why", "also"],
    }
    assert total.changed == 4
