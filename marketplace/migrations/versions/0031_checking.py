"""An upload is checked by a job: until then it is in a state of its own."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint("uploadstate_known", "upload")
    op.create_check_constraint(
        "uploadstate_known", "upload", "state in ('checking', 'checked', 'imported', 'discarded')"
    )


def downgrade() -> None:
    op.execute("delete from uploaded_file f using upload u where u.id = f.upload_id and u.state = 'checking'")
    op.execute("update upload set state = 'discarded', decided_at = created_at where state = 'checking'")
    op.drop_constraint("uploadstate_known", "upload")
    op.create_check_constraint("uploadstate_known", "upload", "state in ('checked', 'imported', 'discarded')")
