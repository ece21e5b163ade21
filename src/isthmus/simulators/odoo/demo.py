"""Content for a first look: projects with the same stages, and tasks."""

import random
from typing import Final

from isthmus.simulators.odoo.person import Person

_PROJECTS: Final = ("Website", "Mobile app", "Office move")
_STAGES: Final = ("To do", "Doing", "Review", "Done")
_VERBS: Final = ("Plan", "Draft", "Review", "Order", "Fix", "Test", "Publish", "Translate", "Measure")
_THINGS: Final = (
    "the landing page",
    "the invoice layout",
    "the login form",
    "the price list",
    "the newsletter",
    "the meeting room",
    "the contact page",
    "the delivery note",
)


def seed(person: Person, *, projects: int, stages: int, tasks: int) -> None:
    """Make *projects* projects with *stages* stages each and *tasks* tasks in each stage."""
    dice = random.Random("odoo demo")
    for number in range(projects):
        project = person.create("project.project", {"name": _name(_PROJECTS, number, "Project")})
        for column in range(stages):
            name = _name(_STAGES, column, "Stage")
            stage = person.create(
                "project.task.type",
                {"name": name, "sequence": column + 1, "project_ids": [[6, 0, [project]]]},
            )
            values = [
                {
                    "name": f"{dice.choice(_VERBS)} {dice.choice(_THINGS)} #{column * tasks + count + 1}",
                    "project_id": project,
                    "stage_id": stage,
                }
                for count in range(tasks)
            ]
            if values:
                person.call("project.task", "create", values)


def _name(names: tuple[str, ...], number: int, otherwise: str) -> str:
    return names[number] if number < len(names) else f"{otherwise} {number + 1}"
