"""The most specific component wins, and the messages when none or several do."""

from itertools import combinations
from typing import Any

import pytest

from isthmus.component import AbstractComponent, Component
from isthmus.errors import NoComponentError, SeveralComponentError

# From the least to the most specific, each for the same lookup: what it is bound to.
BY_SPECIFICITY: list[dict[str, str]] = [
    {},
    {"_apply_on": "sale.order"},
    {"_collection": "shop.backend"},
    {"_collection": "shop.backend", "_apply_on": "sale.order"},
    {"_version": "1.7"},
    {"_collection": "shop.backend", "_version": "1.7"},
    {"_collection": "shop.backend", "_apply_on": "sale.order", "_version": "1.7"},
    {"_version": "1.7-acme"},
    {"_collection": "shop.backend", "_apply_on": "sale.order", "_version": "1.7-acme"},
]


def importer(name: str, **attributes: Any) -> type[Component]:
    """Declare a component of usage "importer"."""
    said = {"__module__": "shop", "_name": name, "_usage": "importer", **attributes}
    return type(name.title(), (Component,), said)


class TestMostSpecific:
    @pytest.mark.parametrize(("loser", "winner"), list(combinations(range(len(BY_SPECIFICITY)), 2)))
    @pytest.mark.parametrize("winner_first", [True, False])
    def test_of_two_the_more_specific_wins(
        self, work_with: Any, loser: int, winner: int, winner_first: bool
    ) -> None:
        """
        Version distance first, then collection and model, collection, model, generic; never the order.
        """
        classes = [
            importer("loser", **BY_SPECIFICITY[loser]),
            importer("winner", **BY_SPECIFICITY[winner]),
        ]
        work = work_with(classes[::-1] if winner_first else classes, version_chain=("1.7-acme", "1.7"))

        found = work.component(usage="importer")

        assert found._name == "winner"

    def test_another_version_does_not_count(self, work_with: Any) -> None:
        """
        A backend of version 1.6 gets neither what is for 1.7 nor, unversioned, anything versioned.
        """
        classes = [importer("any"), importer("new", _version="1.7")]

        assert work_with(classes, version_chain=("1.6",)).component("importer")._name == "any"
        assert work_with(classes).component("importer")._name == "any"

    def test_a_veto_leaves_the_next_specific(self, work_with: Any) -> None:
        """
        `_component_match` sees the lookup's own keywords, and is asked at each lookup anew.
        """

        class Picky(Component):
            _name = "picky"
            _usage = "importer"
            _apply_on = "sale.order"

            @classmethod
            def _component_match(
                cls, work: Any, usage: str | None = None, model_name: str | None = None, **kw: Any
            ) -> bool:
                return (usage, model_name, kw.get("kind")) == ("importer", "sale.order", "vip")

        work = work_with([importer("generic"), Picky])

        found = [work.component("importer", kind=kind)._name for kind in ("vip", "plain", "vip")]

        assert found == ["picky", "generic", "picky"]

    def test_several_may_be_told_apart_by_their_vetoes(self, work_with: Any) -> None:
        """
        Two components of one rank are no tie as long as only one of them matches.
        """

        def for_kind(kind: str) -> type[Component]:
            def match(cls: Any, /, work: Any, usage: Any = None, model_name: Any = None, **kw: Any) -> bool:
                return bool(kw["kind"] == kind)

            return importer(f"for.{kind}", _component_match=classmethod(match))

        work = work_with([for_kind("a"), for_kind("b")])

        assert [work.component("importer", kind=kind)._name for kind in "abab"] == [
            "for.a",
            "for.b",
            "for.a",
            "for.b",
        ]


class TestSeveral:
    def test_the_message_names_the_candidates_and_their_places(self, work_with: Any) -> None:
        """
        A tie names who is tied, where they are defined, and what to do; two generic ones are a tie, too.
        """
        work = work_with([importer("one"), importer("two"), importer("three", _collection="x")])

        with pytest.raises(SeveralComponentError) as caught:
            work.component("importer")

        assert str(caught.value) == (
            "several components with usage 'importer' for model 'sale.order', collection 'shop.backend' are "
            "equally specific: 'one' (shop.One), 'two' (shop.Two); narrow one by _collection, _apply_on, "
            "_version or _component_match, or ask for all by many_components()"
        )

    def test_a_child_tied_with_its_parent_is_told_how_to_replace_it(self, work_with: Any) -> None:
        """
        Who subclasses to replace meant to extend in place.
        """
        parent = importer("parent")
        child = type("Child", (parent,), {"_name": "child"})

        with pytest.raises(
            SeveralComponentError, match=r"'child' inherits another .* extend it in place by _inh"
        ):
            work_with([parent, child]).component("importer")


class TestNone:
    def test_the_message_says_what_excluded_each_near_miss(self, work_with: Any) -> None:
        """
        Wrong collection, wrong model, wrong version, a veto: each candidate has its reason.
        """
        never = classmethod(lambda cls, work, **kw: False)
        classes = [
            importer("elsewhere", _collection="other.backend"),
            importer("partners", _apply_on="res.partner"),
            importer("contacts", _apply_on=["res.partner", "res.user"]),
            importer("newer", _version="1.7"),
            importer("unwilling", _component_match=never),
            type("Other", (Component,), {"_name": "other", "_usage": "exporter"}),
        ]
        work = work_with(classes, version_chain=("1.6",))

        with pytest.raises(NoComponentError) as caught:
            work.component("importer")

        assert str(caught.value) == (
            "no component with usage 'importer' for model 'sale.order', collection 'shop.backend', "
            "version '1.6': "
            "'unwilling' (shop.Unwilling) refused by its _component_match; "
            "'elsewhere' (shop.Elsewhere) is bound to collection 'other.backend'; "
            "'partners' (shop.Partners) is for model 'res.partner'; "
            "'contacts' (shop.Contacts) is for models 'res.partner', 'res.user'; "
            "'newer' (shop.Newer) is for version '1.7'"
        )

    def test_a_misspelt_usage_is_shown_what_exists(self, work_with: Any) -> None:
        """
        Without a component of that usage the message offers the usages that would answer.
        """
        work = work_with([importer("one")])

        with pytest.raises(NoComponentError, match=r"'sale.order', .*; did you mean 'importer'\?$"):
            work.component("imporer")

    def test_an_empty_registry_asks_for_the_plugin(self, work_with: Any) -> None:
        """
        Where nothing is registered there is nothing to offer.
        """
        with pytest.raises(NoComponentError, match="is the plugin that should bring it enabled"):
            work_with([]).component("importer")

    def test_an_abstract_component_is_a_near_miss_when_there_is_no_better(self, work_with: Any) -> None:
        """
        Who forgot to derive from Component reads that.
        """
        abstract = type(
            "Half", (AbstractComponent,), {"__module__": "shop", "_name": "half", "_usage": "importer"}
        )

        with pytest.raises(NoComponentError, match=r"'half' \(shop.Half\) is abstract$"):
            work_with([abstract]).component("importer")

    def test_long_lists_are_cut(self, work_with: Any) -> None:
        """
        Two hundred near misses are no message.
        """
        classes = [importer(f"i{n}", _apply_on="res.partner") for n in range(20)]

        with pytest.raises(NoComponentError, match=r"; and 12 more$"):
            work_with(classes).component("importer")

    def test_a_failed_lookup_is_not_remembered_as_an_answer(self, work_with: Any) -> None:
        """
        Asking in vain twice gives the same message twice.
        """
        work = work_with([importer("one", _apply_on="res.partner")])
        messages = []

        for _ in range(2):
            with pytest.raises(NoComponentError) as caught:
                work.component("importer")
            messages.append(str(caught.value))

        assert messages[0] == messages[1]


class TestByClass:
    def test_a_concrete_class_is_that_component(self, work_with: Any) -> None:
        """
        A declared class gives its built class, extensions included, though others are more specific.
        """
        generic = importer("generic")
        special = type("Special", (generic,), {"_name": "special", "_apply_on": "sale.order"})
        extension = type("Extension", (Component,), {"_inherit": "generic", "extended": True})
        work = work_with([generic, special, extension])

        found = work.component(generic)

        assert found._name == "generic"
        assert isinstance(found, generic)
        assert found.extended  # type: ignore[attr-defined]  # by the extension

    def test_an_abstract_class_is_its_most_specific_heir(self, work_with: Any) -> None:
        """
        A base class finds what inherits it, as the usage would.
        """

        class Binder(AbstractComponent):
            _name = "binder"

        generic = type("Generic", (Binder,), {"_name": "binder.generic"})
        special = type(
            "Special", (Component,), {"_name": "special", "_inherit": "binder", "_apply_on": "sale.order"}
        )
        work = work_with([Binder, generic, special])

        assert work.component(Binder)._name == "special"
        assert work.component(Binder, "res.partner")._name == "binder.generic"

    def test_a_class_of_another_model_says_so(self, work_with: Any) -> None:
        """
        A class is no way around the restrictions of its component.
        """
        partners = importer("partners", _apply_on="res.partner")
        work = work_with([partners])

        with pytest.raises(
            NoComponentError, match=r"no component with class shop.Partners .* is for model 'res.par"
        ):
            work.component(partners)

    def test_a_class_that_this_registry_does_not_have(self, work_with: Any) -> None:
        """
        A class of a plugin that is not enabled is asked about.
        """
        with pytest.raises(
            NoComponentError, match=r"shop.Absent is not part of this registry; is it a component"
        ):
            work_with([]).component(importer("absent"))


class TestMany:
    def test_all_that_fit_come_in_the_order_of_registration(self, work_with: Any) -> None:
        """
        Generic and specific ones alike, the same order each time.
        """
        classes = [
            importer("b"),
            importer("a", _apply_on="sale.order"),
            importer("wrong", _apply_on="res.partner"),
            importer("c", _collection="shop.backend"),
        ]

        found = work_with(classes).many_components("importer")

        assert [component._name for component in found] == ["b", "a", "c"]

    def test_none_is_an_empty_list(self, work_with: Any) -> None:
        """
        Asking for all of nothing is no error.
        """
        assert work_with([]).many_components("importer") == []

    def test_vetoes_count(self, work_with: Any) -> None:
        """
        `_component_match` leaves a component out here, too.
        """
        never = classmethod(lambda cls, work, **kw: False)
        classes = [importer("a"), importer("b", _component_match=never)]

        assert [found._name for found in work_with(classes).many_components()] == ["a"]

    def test_another_model_gets_its_own_work(self, work_with: Any) -> None:
        """
        The components found for another model work on that model.
        """
        (found,) = work_with([importer("a", _apply_on="res.partner")]).many_components(
            "importer", "res.partner"
        )

        assert found.model == "<res.partner>"


class TestByName:
    def test_a_component_is_made_by_its_name(self, work_with: Any) -> None:
        """
        The name decides, whatever is more specific.
        """
        work = work_with([importer("a"), importer("b", _apply_on="sale.order")])

        assert work.component_by_name("a")._name == "a"

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("partner", "no component is named 'partner'; did you mean 'partners'?"),
            (
                "base",
                "component 'base' (isthmus.component.component.Base) is abstract; {here}",
            ),
            (
                "elsewhere",
                "component 'elsewhere' (shop.Elsewhere) is bound to collection 'other.backend'; {here}",
            ),
            (
                "partners",
                "component 'partners' (shop.Partners) is for model 'res.partner'; {here}; try {hint}",
            ),
        ],
    )
    def test_what_cannot_be_used_here_says_why(self, work_with: Any, name: str, says: str) -> None:
        """
        Unknown, abstract, of another collection, for another model: each has its own words.
        """
        work = work_with([
            importer("partners", _apply_on="res.partner"),
            importer("elsewhere", _collection="other.backend"),
        ])

        with pytest.raises(NoComponentError) as caught:
            work.component_by_name(name)

        assert str(caught.value) == says.format(
            here="this is model 'sale.order', collection 'shop.backend'",
            hint="component_by_name('partners', model_name='res.partner')",
        )

    def test_the_hint_works(self, work_with: Any) -> None:
        """
        What the message proposes finds the component, on that model.
        """
        work = work_with([importer("partners", _apply_on="res.partner")])

        found = work.component_by_name("partners", model_name="res.partner")

        assert found.model == "<res.partner>"
