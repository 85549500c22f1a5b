"""What people type to sign in."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Email, Length, Optional

PASSWORD_MIN = 12


class LinkForm(FlaskForm):
    """Where to send a link."""

    email = EmailField(
        _("E-mail"),
        filters=[lambda text: text.strip() if text else text],  # keyboards of phones add a space after a suggestion
        validators=[
            DataRequired(_("Scrivi la tua e-mail.")),
            Email(_("Scrivi un'e-mail completa, per esempio maria@esempio.it.")),
            Length(max=255, message=_("L'e-mail è troppo lunga.")),
        ],
    )
    wanted = HiddenField()


class RegistrationForm(LinkForm):
    """A new account: the password is optional, because the link is enough."""

    name = StringField(_("Nome e cognome"), validators=[DataRequired(_("Scrivi nome e cognome.")), Length(max=120)])
    password = PasswordField(
        _("Password"),
        validators=[
            Optional(),
            Length(min=PASSWORD_MIN, max=200, message=_("La password deve avere almeno 12 caratteri.")),
        ],
    )


class PasswordForm(LinkForm):
    """Sign-in by password."""

    password = PasswordField(_("Password"), validators=[DataRequired(_("Scrivi la password."))])


class CodeForm(FlaskForm):
    """Six digits from the phone, or a recovery code."""

    code = StringField(
        _("Codice"),
        validators=[
            DataRequired(_("Scrivi il codice che vedi nell'applicazione.")),
            Length(max=40, message=_("Il codice è troppo lungo.")),
        ],
    )
    wanted = HiddenField()


class SetUpCodeForm(FlaskForm):
    """The code from an administrator."""

    code = StringField(
        _("Codice di attivazione"),
        validators=[
            DataRequired(_("Scrivi il codice che ti ha dato chi amministra il servizio.")),
            Length(max=40, message=_("Il codice è troppo lungo.")),
        ],
    )
    wanted = HiddenField()


class SetUpForm(CodeForm):
    """The first code of a phone that has just read the secret."""

    secret = HiddenField()


class PasskeyForm(FlaskForm):
    """What a passkey signed, as the page's script sends it."""

    credential = HiddenField()
    wanted = HiddenField()


class NewPasskeyForm(PasskeyForm):
    """A new passkey, by a name that its owner will know again."""

    name = StringField(
        _("Nome"),
        filters=[lambda text: text.strip() if text else text],
        validators=[
            DataRequired(_("Scrivi un nome che ti faccia riconoscere la passkey.")),
            Length(max=60, message=_("Il nome è troppo lungo: al massimo 60 lettere.")),
        ],
    )


class TokenForm(FlaskForm):
    """A key for a program: its name, what it may do, and for how long."""

    name = StringField(
        _("Per quale programma"),
        filters=[lambda text: text.strip() if text else text],
        validators=[
            DataRequired(_("Scrivi un nome che ti faccia riconoscere la chiave.")),
            Length(max=60, message=_("Il nome è troppo lungo: al massimo 60 lettere.")),
        ],
    )
    scopes = SelectMultipleField(_("Che cosa può fare"), validators=[DataRequired(_("Scegli almeno una cosa."))])
    days = SelectField(_("Per quanto tempo"), coerce=int)
