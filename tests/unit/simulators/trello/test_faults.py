"""Fault plans."""

import pytest

from isthmus.simulators.trello.faults import FaultPlan, Faults, Kind


def drawn(plan: FaultPlan, count: int = 400) -> list[str | None]:
    """What a plan does to so many creates."""
    faults = Faults()
    faults.plan(plan)
    chosen = (faults.choose("POST", "/1/cards") for _ in range(count))
    return [fault.kind if fault else None for fault in chosen]


def test_the_same_seed_draws_the_same_faults():
    """
    A failing run can be repeated.
    """
    assert drawn(FaultPlan(seed=5)) == drawn(FaultPlan(seed=5))
    assert drawn(FaultPlan(seed=5)) != drawn(FaultPlan(seed=6))


def test_the_rate_is_kept_and_every_kind_comes_up():
    """
    About a tenth of the requests, and all kinds of the plan.
    """
    kinds = [kind for kind in drawn(FaultPlan(seed=1, kinds=tuple(Kind), burst=1), 4000) if kind]

    assert 300 < len(kinds) < 500
    assert set(kinds) == set(Kind)


def test_an_unknown_kind_is_refused_at_once():
    """
    Not only when it would be drawn.
    """
    with pytest.raises(ValueError, match="nonsense"):
        Faults().plan(FaultPlan(kinds=("nonsense",)))


def test_a_plan_can_be_bounded_and_leave_methods_alone():
    """
    So many faults and no more; reads may be spared.
    """
    faults = Faults()
    faults.plan(FaultPlan(rate=1, kinds=("slow",), methods=("POST",), most=2))

    reads = [faults.choose("GET", "/1/cards/x") for _ in range(3)]
    writes = [faults.choose("POST", "/1/cards") for _ in range(4)]

    assert reads == [None] * 3
    assert [fault is not None for fault in writes] == [True, True, False, False]


def test_a_one_shot_waits_for_its_request_and_happens_once():
    """
    Method and path choose the request.
    """
    faults = Faults()
    faults.next("reset_after", method="PUT", path="/cards/*")

    chosen = [faults.choose(*request) for request in (("PUT", "/1/lists/x"), ("PUT", "/1/cards/x"))]

    assert [fault and fault.kind for fault in chosen] == [None, Kind.RESET_AFTER]
    assert faults.choose("PUT", "/1/cards/x") is None


def test_a_burst_hits_whatever_comes_next():
    """
    429 does not choose its requests.
    """
    faults = Faults()
    faults.next("rate_limit", method="POST", burst=3)

    chosen = [faults.choose(method, "/1/cards") for method in ("POST", "GET", "PUT", "GET")]

    assert [fault and fault.kind for fault in chosen] == [Kind.RATE_LIMIT] * 3 + [None]


def test_late_effects_happen_in_order_when_released():
    """
    One by one or all, never by themselves.
    """
    faults, happened = Faults(), []
    for number in range(3):
        faults.postpone(lambda number=number: happened.append(number))

    first = faults.release(1)
    rest = faults.release()

    assert (first, rest, happened, faults.pending) == (1, 2, [0, 1, 2], 0)


def test_a_read_is_never_late():
    """
    Only writes have an effect that could come late.
    """
    faults = Faults()
    faults.plan(FaultPlan(rate=1, kinds=("late",)))

    assert faults.choose("GET", "/1/cards/x").kind is Kind.TIMEOUT_BEFORE
    assert faults.choose("POST", "/1/cards").kind is Kind.LATE


def test_clearing_forgets_plan_and_one_shots():
    """
    The server behaves again.
    """
    faults = Faults()
    faults.plan(FaultPlan(rate=1))
    faults.next("slow")

    faults.clear()

    assert faults.choose("GET", "/1/boards") is None
