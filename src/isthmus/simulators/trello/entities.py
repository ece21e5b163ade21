"""What lives on the simulated server: boards, lists, cards and what hangs on them."""

from dataclasses import dataclass, field
from typing import Any

from isthmus.simulators.trello.positions import Ordered

Json = dict[str, Any]
Place = tuple[float, str]


@dataclass(slots=True, kw_only=True)
class Member:
    """A person (or the account our token belongs to)."""

    id: str
    username: str
    full_name: str
    email: str | None = None
    bio: str = ""
    member_type: str = "normal"
    actions: "list[Action]" = field(default_factory=list, repr=False)

    @property
    def initials(self) -> str:
        """The capital letters of the name, as the avatar shows them."""
        return "".join(word[0] for word in self.full_name.split()[:2]).upper()


@dataclass(slots=True, kw_only=True)
class Action:
    """One entry of the history; *data* is what the API shows."""

    id: str
    type: str
    date: str
    member_id: str
    data: Json
    app_id: str | None = None
    board_id: str | None = None
    list_ids: tuple[str, ...] = ()
    card_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Label:
    """A coloured label of a board."""

    id: str
    board_id: str
    name: str
    color: str | None
    uses: int = 0


@dataclass(slots=True, kw_only=True)
class Attachment:
    """A link or file on a card."""

    id: str
    card_id: str
    name: str
    url: str
    date: str
    member_id: str
    mime_type: str = ""
    size: int | None = None
    is_upload: bool = False
    pos: float = 16384


@dataclass(slots=True, kw_only=True)
class CheckItem:
    """One line of a checklist."""

    id: str
    checklist_id: str
    name: str
    pos: float
    state: str = "incomplete"
    due: str | None = None
    member_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Checklist:
    """A checklist on a card, its items by ID."""

    id: str
    board_id: str
    card_id: str
    name: str
    pos: float
    items: dict[str, CheckItem] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Card:
    """A card; what it carries is kept by ID except for its attachments."""

    id: str
    short_id: int
    short_link: str
    board_id: str
    list_id: str
    pos: float
    name: str
    desc: str = ""
    closed: bool = False
    due: str | None = None
    start: str | None = None
    due_complete: bool = False
    due_reminder: int | None = None
    subscribed: bool = False
    is_template: bool = False
    cover_id: str | None = None
    last_activity: str = ""
    comments: int = 0
    member_ids: list[str] = field(default_factory=list)
    voter_ids: list[str] = field(default_factory=list)
    label_ids: list[str] = field(default_factory=list)
    checklist_ids: list[str] = field(default_factory=list)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list, repr=False)


@dataclass(slots=True, kw_only=True)
class BoardList:
    """A list (column) of a board, with the places of its cards."""

    id: str
    board_id: str
    name: str
    pos: float
    closed: bool = False
    subscribed: bool = False
    cards: Ordered[Place] = field(default_factory=Ordered, repr=False)
    actions: list[Action] = field(default_factory=list, repr=False)


@dataclass(slots=True, kw_only=True)
class Board:
    """A board with its indexes: lists by place, cards by ID, history oldest first."""

    id: str
    short_link: str
    name: str
    desc: str = ""
    closed: bool = False
    starred: bool = False
    subscribed: bool = False
    organization_id: str | None = None
    creator_id: str = ""
    prefs: Json = field(default_factory=dict)
    last_activity: str | None = None
    last_view: str | None = None
    next_short_id: int = 1
    memberships: dict[str, Json] = field(default_factory=dict)
    label_ids: list[str] = field(default_factory=list)
    lists: Ordered[Place] = field(default_factory=Ordered, repr=False)
    cards: Ordered[str] = field(default_factory=Ordered, repr=False)
    actions: list[Action] = field(default_factory=list, repr=False)


@dataclass(slots=True, kw_only=True)
class Webhook:
    """A subscription to everything that happens to one model."""

    id: str
    token: str
    description: str
    model_id: str
    callback_url: str
    active: bool = True
    failures: int = 0
