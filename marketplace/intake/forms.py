"""What an officer hands in: one or more files; what is in them is judged by intake/tables.py, not by their names."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField
from werkzeug.datastructures import FileStorage
from wtforms import ValidationError

from marketplace.intake.tables import Source

FILES_MAX = 10


class UploadForm(FlaskForm):
    """The files of a city."""

    files = MultipleFileField(_("File da importare"))

    def chosen(self) -> list[FileStorage]:
        """The files that were really chosen: a browser sends an empty one for none."""
        return [file for file in self.files.data or [] if isinstance(file, FileStorage) and file.filename]

    def validate_files(self, field: MultipleFileField) -> None:
        """At least one file, and not a whole disk."""
        count = len(self.chosen())
        if not count:
            raise ValidationError(_("Scegli almeno un file CSV o Excel"))
        if count > FILES_MAX:
            raise ValidationError(_("Scegli al massimo 10 file"))

    def sources(self) -> list[Source]:
        """The files, read."""
        return [Source(_last_part(file.filename or ""), file.stream.read()) for file in self.chosen()]


def _last_part(name: str) -> str:
    """A file's name without the folders that some browsers send."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]
