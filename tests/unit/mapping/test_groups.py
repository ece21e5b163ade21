"""Which fields of both sides belong together."""

from isthmus.mapping import FieldGroup, MappingEntry, MappingPlan, field_groups, one_way


def direct(source, target, **more):
    """An entry between two fields."""
    return MappingEntry(kind="direct", name=target, reads=(source,), writes=(target,), **more)


def method(name, reads, writes, **more):
    """An entry between several fields."""
    return MappingEntry(kind="method", name=name, reads=reads, writes=writes, **more)


def test_a_field_and_its_counterpart_are_a_group():
    """
    Both directions of one pair are one group, in the order of the import plan.
    """
    groups = field_groups(
        MappingPlan((direct("title", "name"), direct("desc", "description"))),
        MappingPlan((direct("description", "desc"), direct("name", "title"))),
    )

    assert groups == (
        FieldGroup(theirs=("title",), ours=("name",)),
        FieldGroup(theirs=("desc",), ours=("description",)),
    )


def test_a_method_of_one_direction_joins_groups_of_the_other():
    """
    Everything that hangs together is decided together.
    """
    groups = field_groups(
        MappingPlan((direct("a", "x"), direct("b", "y"), direct("c", "z"))),
        MappingPlan((method("both", ("x", "z"), ("a",)),)),
    )

    assert groups == (FieldGroup(theirs=("a", "c"), ours=("x", "z")), FieldGroup(theirs=("b",), ours=("y",)))


def test_a_later_entry_joins_two_earlier_groups_at_all_their_fields():
    """
    Chains of any length are one group.
    """
    groups = field_groups(
        MappingPlan((direct("a", "w"), direct("b", "x"), direct("c", "y"), direct("d", "z"))),
        MappingPlan((
            method("m", ("w", "x"), ("b",)),
            method("n", ("y", "z"), ("c",)),
            method("o", ("z",), ("a",)),
        )),
    )

    assert groups == (FieldGroup(theirs=("a", "b", "c", "d"), ours=("w", "x", "y", "z")),)


def test_the_same_name_on_both_sides_is_two_fields():
    """
    Their "name" and our "name" are not one.
    """
    groups = field_groups(MappingPlan((direct("name", "title"), direct("code", "name"))), MappingPlan(()))

    assert groups == (FieldGroup(("name",), ("title",)), FieldGroup(("code",), ("name",)))


def test_one_way_entries_and_those_for_new_records_take_no_part():
    """
    They cause no write, and are listed apart.
    """
    stamp = MappingEntry(kind="method", name="stamp", changed_by=frozenset({"a"}), two_way=False)
    plan = MappingPlan((direct("a", "x"), stamp, method("code", ("b",), ("y",), only_create=True)))

    assert field_groups(plan, MappingPlan(())) == (FieldGroup(("a",), ("x",)),)
    assert one_way(plan) == (stamp,)
