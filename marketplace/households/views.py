"""A family's own pages about itself: registration, people, address, contacts, means test."""

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_security import current_user

from marketplace.accounts.models import Municipality, Role
from marketplace.db import db
from marketplace.errors import MarketplaceError
from marketplace.failures import show_on
from marketplace.households import operations as households
from marketplace.households.forms import ContactsForm, HomeForm, MeansTestForm, PersonForm, WelcomeForm
from marketplace.pages import own_path
from marketplace.places.queries import has_register
from marketplace.web import actor, allow, id_from, list_appointments, now, signed_in, today

blueprint = Blueprint("households", __name__)


def municipality() -> Municipality:
    """The municipality of this request."""
    return db.session.get_one(Municipality, actor().municipality_id)


def onward(default: str) -> str:
    """Where the person was going when a page of ours came between."""
    wanted = request.args.get("poi")
    return own_path(wanted) if wanted else default


@blueprint.route("/famiglia/nuova", methods=["GET", "POST"])
@signed_in
def register() -> ResponseReturnValue:
    """Register the family of somebody who has just signed up."""
    if actor().role == Role.FAMILY:
        return redirect("/oggi", code=303)
    given_name, _space, family_name = current_user.name.partition(" ")
    form = WelcomeForm(given_name=given_name, family_name=family_name)
    home = form.find_home(db.session, municipality()) if form.validate_on_submit() else None
    if home is not None:
        try:
            household = households.register_household(
                db.session, actor(), now(), form.applicant(current_user.email), home
            )
        except households.AlreadyRegistered as error:
            show_on(form, error, "tax_code")
        else:
            mine = list_appointments(current_user.id)
            session["appointment"] = next(str(one.id) for one in mine if one.household_id == household.id)
            warn_without_register()
            return redirect(url_for("households.add_person", poi="/esigenze/nuova"), code=303)
    return render_template("households/register.html", form=form), 422 if form.errors else 200


def warn_without_register() -> None:
    """Say that distances are not right yet where the city has no register of addresses."""
    if not has_register(db.session, actor().municipality_id):
        flash(
            _("Il Comune non ha ancora caricato lo stradario: per ora le distanze partono dal centro della città."),
            "warning",
        )


@blueprint.get("/profilo")
@allow(Role.FAMILY)
def profile() -> str:
    """All that is known of the family."""
    return render_template(
        "households/profile.html",
        household=households.get_household(db.session, actor()),
        people=households.list_people(db.session, actor()),
        means_test=households.find_means_test(db.session, actor()),
        today=today(),
    )


@blueprint.route("/profilo/persone/nuova", methods=["GET", "POST"])
@allow(Role.FAMILY)
def add_person() -> ResponseReturnValue:
    """Somebody who needs help."""
    form = PersonForm(data={"languages": ["it"]})
    if form.validate_on_submit():
        person = households.add_person(db.session, actor(), now(), today(), form.details())
        if "ancora" in request.form:
            flash(_("%(name)s: aggiunto alla famiglia.", name=person.name), "success")
            return redirect(url_for("households.add_person", poi=request.args.get("poi")), code=303)
        return redirect(onward(url_for("households.profile")), code=303)
    people = households.list_people(db.session, actor())
    page = render_template("households/person.html", form=form, people=people, person=None, onward=onward(""))
    return page, 422 if form.errors else 200


@blueprint.route("/profilo/persone/<person_id>", methods=["GET", "POST"])
@allow(Role.FAMILY)
def change_person(person_id: str) -> ResponseReturnValue:
    """Name, age, class, languages of one of the family."""
    person = households.get_person(db.session, actor(), id_from(person_id))
    form = PersonForm.of(person, person.age_at(today()))
    if form.validate_on_submit():
        households.change_person(db.session, actor(), now(), today(), person.id, form.details())
        flash(_("Salvato."), "success")
        return redirect(onward(url_for("households.profile")), code=303)
    page = render_template("households/person.html", form=form, people=[], person=person, onward=onward(""))
    return page, 422 if form.errors else 200


@blueprint.post("/profilo/persone/<person_id>/togli")
@allow(Role.FAMILY)
def remove_person(person_id: str) -> ResponseReturnValue:
    """Forget somebody for whom nothing was asked."""
    try:
        households.remove_person(db.session, actor(), now(), id_from(person_id))
    except households.PersonHasNeeds as error:
        flash(_(error.message), "error")
    except MarketplaceError:
        pass  # a second tap: gone already
    else:
        flash(_("Tolto dalla famiglia."), "success")
    return redirect(url_for("households.profile"), code=303)


@blueprint.route("/profilo/indirizzo", methods=["GET", "POST"])
@allow(Role.FAMILY)
def move_home() -> ResponseReturnValue:
    """Where the family lives."""
    household = households.get_household(db.session, actor())
    form = HomeForm(address=household.address)
    home = form.find_home(db.session, municipality()) if form.validate_on_submit() else None
    if home is not None:
        households.move_home(db.session, actor(), now(), home)
        warn_without_register()
        flash(_("Salvato."), "success")
        return redirect(url_for("households.profile"), code=303)
    return render_template("households/home.html", form=form), 422 if form.errors else 200


@blueprint.route("/profilo/contatti", methods=["GET", "POST"])
@allow(Role.FAMILY)
def change_contacts() -> ResponseReturnValue:
    """How the family is reached."""
    household = households.get_household(db.session, actor())
    form = ContactsForm(email=household.email, phone=household.phone)
    if form.validate_on_submit():
        households.change_contacts(db.session, actor(), now(), form.email.data or None, form.phone.data or None)
        flash(_("Salvato."), "success")
        return redirect(url_for("households.profile"), code=303)
    return render_template("households/contacts.html", form=form), 422 if form.errors else 200


@blueprint.route("/profilo/lettere", methods=["GET", "POST"])
@allow(Role.FAMILY)
def letters() -> ResponseReturnValue:
    """Messages on paper, or no longer."""
    household = households.get_household(db.session, actor())
    if request.method == "POST":
        households.choose_letters(db.session, actor(), now(), wanted="lettere" in request.form)
        flash(
            _("Fatto: da ora ti scriviamo per lettera.")
            if household.by_letter
            else _("Fatto: non ti scriviamo più per lettera."),
            "success",
        )
        return redirect(url_for("households.profile"), code=303)
    return render_template("households/letters.html", household=household)


@blueprint.route("/profilo/isee", methods=["GET", "POST"])
@allow(Role.FAMILY)
def declare_means_test() -> ResponseReturnValue:
    """The household's ISEE, declared by the family and verified by the Comune."""
    newest = households.find_means_test(db.session, actor())
    form = MeansTestForm(
        isee=None if newest is None else int(newest.isee_cents),
        is_resident=newest is None or newest.is_resident is not False,
        has_disability=newest is not None and newest.has_disability,
    )
    if form.validate_on_submit() and form.isee.data is not None:
        households.declare_means_test(
            db.session, actor(), now(), today(), form.isee.data, form.is_resident.data, form.has_disability.data
        )
        flash(_("Salvato. Il Comune lo verifica: fino ad allora vale come l'hai dichiarato."), "success")
        return redirect(onward(url_for("households.profile")), code=303)
    page = render_template("households/means_test.html", form=form, means_test=newest, until=date(today().year, 12, 31))
    return page, 422 if form.errors else 200
