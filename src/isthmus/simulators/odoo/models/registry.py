"""Which models there are."""

from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.models import partner, project, task, technical, users
from isthmus.simulators.odoo.release import Release

_MODELS: tuple[type[Model], ...] = (
    technical.IrModel,
    technical.IrModelFields,
    technical.ModelData,
    technical.ModelAccess,
    technical.ConfigParameter,
    technical.Lang,
    technical.Country,
    technical.ServerAction,
    technical.Automation,
    users.Groups,
    users.Company,
    users.Users,
    users.ApiKeys,
    partner.Category,
    partner.Partner,
    project.Project,
    project.TaskType,
    project.Tags,
    task.Task,
)


def registry_for(release: Release) -> dict[str, Model]:
    """Make the models of a version, by name."""
    return {model.name: model for model in (kind(release) for kind in _MODELS)}
