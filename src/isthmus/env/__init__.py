"""The unit of work and its seams: Env, Model, Record, Field, domains, protocols."""

from isthmus.env.domain import Domain, parse
from isthmus.env.env import Env, Phase
from isthmus.env.extension import ModelClasses, ModelExtension, declared_extensions
from isthmus.env.field import X2MANY, ChangedFields, Field, FieldType, Key, plain
from isthmus.env.model import Model
from isthmus.env.protocols import (
    ChangeFeed,
    CreateSafety,
    Delayer,
    Grant,
    LeaseLocks,
    Limiter,
    RateWindow,
    RemoteWrites,
    Services,
    Store,
    Transaction,
)
from isthmus.env.record import Record, relation_keys

__all__ = [
    "X2MANY",
    "ChangeFeed",
    "ChangedFields",
    "CreateSafety",
    "Delayer",
    "Domain",
    "Env",
    "Field",
    "FieldType",
    "Grant",
    "Key",
    "LeaseLocks",
    "Limiter",
    "Model",
    "ModelClasses",
    "ModelExtension",
    "Phase",
    "RateWindow",
    "Record",
    "RemoteWrites",
    "Services",
    "Store",
    "Transaction",
    "declared_extensions",
    "parse",
    "plain",
    "relation_keys",
]
