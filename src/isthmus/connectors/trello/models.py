"""The backend type and the binding tables."""

from isthmus.backend import Backend
from isthmus.binding import Binding


class TrelloBackend(Backend):
    """A Trello account. Credentials: the application's key and the member's token."""

    _name = "trello.backend"
    _extends = ("connector.backend",)
    _credentials = ("key", "token")
    _options = {
        "boards": [],
        "export_domain": {},
        "on_external_delete": "archive",
        "on_record_delete": "archive",
        "link_base": None,
    }
    __mapper_args__ = {"polymorphic_identity": "trello.backend"}


class TrelloBoard(Binding):
    """A board stands for a project."""

    __tablename__ = "isthmus_trello_board"
    _name = "trello.board"
    _binds = "project.project"


class TrelloList(Binding):
    """A list stands for a stage on one board: the scope is the board's ID."""

    __tablename__ = "isthmus_trello_list"
    _name = "trello.list"
    _binds = "project.task.type"


class TrelloCard(Binding):
    """A card stands for a task."""

    __tablename__ = "isthmus_trello_card"
    _name = "trello.card"
    _binds = "project.task"
