"""The table of Odoo's errors, also against answers that were recorded at real servers."""

import json
import re
from pathlib import Path

import pytest

from isthmus.errors import (
    BackendError,
    CredentialsError,
    FailError,
    InvalidDataError,
    IsthmusError,
    LoginRefusedError,
    MissingRecordError,
    NetworkRetryableError,
    UnknownFieldError,
    UnknownModelError,
    UnknownOutcomeError,
)
from isthmus.http import Call, Refusal
from isthmus.store.odoo.failure import error_for_fault, error_for_refusal
from isthmus.store.odoo.fault import Fault, Place
from isthmus.store.odoo.rules import RULES

DATA = Path(__file__).parents[3] / "data"
READ = Call(what="read 1 project.task", safe=True)
WRITE = Call(what="write 1 project.task", safe=False)
PLACE = Place(server="odoo:8069", database="company", login="anna", uid=2, model="project.task", ids=[7])

# What the recorded errors must become, by the label of the recording.
OF_18 = {
    "authenticate unknown database": BackendError,
    "execute_kw with wrong password": LoginRefusedError,
    "execute_kw with unknown uid": LoginRefusedError,
    "write missing record": MissingRecordError,
    "unlink missing record": MissingRecordError,
    "missing record: method on a deleted id": MissingRecordError,
    "validation error (recursive parent)": InvalidDataError,
    "validation error (python constraint: barcode duplicate)": InvalidDataError,
    "validation error (SQL check constraint: contact without name)": InvalidDataError,
    "validation error (not null)": InvalidDataError,
    "unique constraint (duplicate login)": InvalidDataError,
    "selection value not allowed": InvalidDataError,
    "many2one to a missing record (foreign key)": InvalidDataError,
    "unknown field in create": UnknownFieldError,
    "unknown field in read": UnknownFieldError,
    "unknown field in domain": UnknownFieldError,
    "bad domain": InvalidDataError,
    "unknown model": UnknownModelError,
    "unknown method": FailError,
    "private method": FailError,
    "method returning None": FailError,
    "wrong arguments (TypeError)": InvalidDataError,
    "user error (delete a record in use: product uom)": InvalidDataError,
    "user error (sale order confirm of a confirmed order)": InvalidDataError,
    "access error: model rights (demo writes ir.model.access)": CredentialsError,
    "access error: read of forbidden model": CredentialsError,
    "language not installed in context (error)": BackendError,
}
OF_19 = {
    "write missing record": MissingRecordError,
    "unlink missing record": MissingRecordError,
    "missing argument": InvalidDataError,
    "wrong argument": InvalidDataError,
    "unexpected argument": InvalidDataError,
    "ids for a method of the model": InvalidDataError,
    "unknown field in a domain": UnknownFieldError,
    "unknown field in read": UnknownFieldError,
    "unknown field in create": UnknownFieldError,
    "selection value not allowed": InvalidDataError,
    "recursive parent": InvalidDataError,
    "many2one to a missing record": InvalidDataError,
    "language not installed": BackendError,
    "unknown model": UnknownModelError,
    "unknown method": FailError,
    "private method": FailError,
    "exists is private": FailError,
    "no body": InvalidDataError,
    "a list as body": InvalidDataError,
    "no key": LoginRefusedError,
    "wrong key": LoginRefusedError,
    "not a bearer": LoginRefusedError,
    "JSON-RPC error has code 0": MissingRecordError,
    "JSON-RPC wrong password of a call": LoginRefusedError,
    "JSON-RPC unknown user": LoginRefusedError,
    "JSON-RPC unknown database": BackendError,
    "JSON-RPC unknown model": UnknownModelError,
}


def recorded(name, labels):
    """Give the recorded answers with these labels."""
    samples = json.loads((DATA / name).read_text())["samples"]
    chosen = [sample for sample in samples if sample["label"] in labels]
    assert {sample["label"] for sample in chosen} == set(labels)
    return [pytest.param(sample, labels[sample["label"]], id=sample["label"]) for sample in chosen]


def understood(sample):
    """Read a recorded refusal as a transport does: the fault and where it happened."""
    told = json.loads(sample["response"]["body"])
    fault = Fault.told(told["error"]["data"] if "error" in told else told)
    path, body = sample["request"]["path"], json.loads(sample["request"]["body"] or "null")
    if path == "/jsonrpc":
        args = body["params"]["args"]
        if body["params"]["service"] == "common":
            return fault, Place(server="odoo:8069", database=args[0], login=args[1])
        database, uid, model, ids = args[0], args[1], args[3], args[5][0] if args[5] else None
    else:
        database, uid, model = "company", 2, path.split("/")[3]
        ids = body.get("ids") if isinstance(body, dict) else None
    return fault, Place(server="odoo:8069", database=database, login="anna", uid=uid, model=model, ids=ids)


@pytest.mark.parametrize(
    ("sample", "error"),
    [*recorded("odoo_rpc_samples.json", OF_18), *recorded("odoo_json2_samples.json", OF_19)],
)
def test_a_recorded_error_is_understood(sample, error):
    """
    Odoo 18 over JSON-RPC and Odoo 19 over both: what real servers say has its place in the table.
    """
    fault, place = understood(sample)

    raised = error_for_fault(fault, WRITE, place)

    assert type(raised) is error
    assert "Traceback" not in str(raised)
    assert "\n" not in str(raised)
    assert len(str(raised)) < 600


def test_a_validation_error_is_odoos_own_sentence():
    """
    The person who finds the record in the inbox reads what Odoo would have shown.
    """
    fault = Fault(
        name="odoo.exceptions.ValidationError", message="Contacts require\na name\n", debug="Traceback"
    )

    error = error_for_fault(fault, WRITE, PLACE)

    assert str(error) == "cannot write 1 project.task: Contacts require a name"


def test_a_warning_with_a_way_out_is_told_without_it():
    """
    The action and the label of its button are for the web client.
    """
    told = {
        "name": "odoo.exceptions.RedirectWarning",
        "message": "Linked to a user.\n17\nGo to users",
        "arguments": ["Linked to a user.", 17, "Go to users"],
    }

    error = error_for_fault(Fault.told(told), WRITE, PLACE)

    assert isinstance(error, InvalidDataError)
    assert str(error) == "cannot write 1 project.task: Linked to a user."


def test_an_unknown_model_says_where_it_is_not_installed():
    """
    A module is missing there, not a letter here.
    """
    fault = Fault(name="odoo.exceptions.UserError", message="Object project.task doesn't exist")

    error = error_for_fault(fault, READ, PLACE)

    assert (
        str(error) == "unknown model 'project.task': it is not installed in database 'company' of odoo:8069"
    )


def test_an_unknown_model_is_understood_in_every_language(odoo):
    """
    Some versions translate the sentence; the traceback tells that no method ran.
    """
    debug = odoo.traceback("dispatch", "execute_cr")
    fault = Fault(name="odoo.exceptions.UserError", message="L'objet project.task n'existe pas", debug=debug)

    assert isinstance(error_for_fault(fault, READ, PLACE), UnknownModelError)


@pytest.mark.parametrize(
    ("said", "model", "field"),
    [
        ("Invalid field 'x_a' on model 'res.partner'", "res.partner", "x_a"),
        ("Invalid field 'x_a' on 'res.partner'", "res.partner", "x_a"),
        ("Invalid field 'x_a' in 'res.partner'", "res.partner", "x_a"),
        ("Invalid field res.partner.x_a in leaf ('x_a', '=', 1)", "res.partner", "x_a"),
        ("Invalid field res.partner.x_a in condition ('x_a', '=', 1)", "res.partner", "x_a"),
        ("Invalid field name 'x_a'", "project.task", "x_a"),
        ("Invalid field 'x_a'", "project.task", "x_a"),
    ],
)
def test_an_unknown_field_is_found_in_every_wording(said, model, field):
    """
    Odoo has a different sentence for reading, writing and searching, and per version.
    """
    error = error_for_fault(Fault(name="builtins.ValueError", message=said), READ, PLACE)

    assert isinstance(error, UnknownFieldError)
    assert (error.model, error.field) == (model, field)


@pytest.mark.parametrize(
    ("line", "error"),
    [("return self._fields[key].__get__(self)", UnknownFieldError), ("x = {}[key]", InvalidDataError)],
)
def test_an_unknown_field_that_is_only_named_is_told_from_other_missing_keys(odoo, line, error):
    """
    Odoo 19 answers a write of an unknown field of a partner with ``KeyError: 'x_a'``.
    """
    debug = odoo.traceback("call_kw", "write", "__getitem__", line=line)

    raised = error_for_fault(Fault(name="builtins.KeyError", message="x_a", debug=debug), WRITE, PLACE)

    assert type(raised) is error
    assert "x_a" in str(raised)


@pytest.mark.parametrize(
    ("said", "ids", "error"),
    [
        ("(Record: project.task(7,), User: 2)", [7], MissingRecordError),
        ("(Record: project.task(7, 9), User: 2)", [9], MissingRecordError),
        ("(Record: project.task(8,), User: 2)", [7], InvalidDataError),
        ("(Record: project.project(7,), User: 2)", [7], InvalidDataError),
        ("(Record: project.task(7,), User: 2)", None, InvalidDataError),
        ("Der Datensatz fehlt", [7], MissingRecordError),
    ],
)
def test_a_record_that_is_gone_is_told_from_one_that_the_values_name(said, ids, error):
    """
    A task whose project was deleted is not a deleted task.
    """
    place = Place(server="s", database="d", login="anna", uid=2, model="project.task", ids=ids)

    raised = error_for_fault(
        Fault(name="odoo.exceptions.MissingError", message=f"Gone. {said}"), WRITE, place
    )

    assert type(raised) is error


def test_a_defect_at_a_login_stops_instead_of_parking_a_record():
    """
    A database that holds no Odoo ends in a KeyError.
    """
    place = Place(server="odoo:8069", database="company", login="anna")

    error = error_for_fault(Fault(name="builtins.KeyError", message="'res.users'"), READ, place)

    assert type(error) is BackendError


def test_an_access_error_through_an_api_key_names_no_login():
    """
    A key alone has no login that we know.
    """
    place = Place(server="s", database="company", login=None, uid=2, model="hr.employee")

    error = error_for_fault(Fault(name="odoo.exceptions.AccessError", message="No."), READ, place)

    assert str(error).endswith("No. In database 'company' the API key has no right to do this on hr.employee")


@pytest.mark.parametrize("kind", ["UserError", "ValidationError"])
@pytest.mark.parametrize(
    "quoted",
    [
        "Set a real time limit", "Object 12 doesn't exist", "the model 'T' does not exist",
        "invalid field 'x' on 'y'", "Invalid language code: here", "deadlock detected", "too many",
    ],
)  # fmt: skip
def test_a_refusal_that_quotes_a_value_is_a_matter_of_the_record(kind, quoted):
    """
    Its words are those of a person; they do not stop the others.
    """
    for said in (f"The title {quoted} is not good.", quoted if "12" in quoted else f"{quoted}, and no more"):
        for call in (READ, WRITE):
            fault = Fault(name=f"odoo.exceptions.{kind}", message=said)

            assert type(error_for_fault(fault, call, PLACE)) is InvalidDataError


@pytest.mark.parametrize("name", ["odoo.addons.x.models.MyError", "Exception", "", "."])
@pytest.mark.parametrize("message", ["", "x" * 5000, "<!DOCTYPE html>", "\n"])
def test_every_error_is_told_in_a_short_message(name, message):
    """
    Modules bring their own exceptions; none of them ends in an error of ours.
    """
    for call in (READ, WRITE):
        error = error_for_fault(Fault(name=name, message=message), call, PLACE)

        assert isinstance(error, IsthmusError)
        assert 20 < len(str(error)) < 600


@pytest.mark.parametrize("told", [None, [], "x", {}, {"name": 3}, {"message": "x"}])
def test_what_is_no_error_of_odoo_is_not_taken_for_one(told):
    """
    A proxy's JSON has other keys.
    """
    assert Fault.told(told) is None


def test_every_rule_has_an_error_and_the_last_takes_all():
    """
    No fault is without an answer.
    """
    assert all(rule.read or rule.write for rule in RULES)
    assert RULES[-1].takes(Fault(name="x", message=""), PLACE)
    assert RULES[-1].read is InvalidDataError
    assert len({rule.title for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.title)
def test_an_advice_can_be_written_for_every_place(rule):
    """
    Its blanks are those that a place fills.
    """
    names = set(re.findall(r"\{(\w+)", rule.advice))

    assert names <= {"server", "database", "who", "model"}


def test_nothing_that_writes_is_called_retryable_without_being_rolled_back():
    """
    Of the rules that repeat a write, each says why nothing was written.
    """
    repeating = [
        rule.title
        for rule in RULES
        if issubclass(rule.write or rule.read or UnknownOutcomeError, NetworkRetryableError)
    ]

    assert repeating == [
        "serialization, deadlock, lock, cancelled statement, full disk: rolled back",
        "PostgreSQL refuses for a time",
        "the server cannot reach its database",
    ]


@pytest.mark.parametrize("status", [400, 402, 403, 413, 415, 429, 500, 502, 503, 504])
def test_a_page_is_left_to_its_status(status):
    """
    What is not in Odoo's form is what it is for any server.
    """
    assert error_for_refusal(Refusal(status, "<html>"), WRITE, PLACE) is None
