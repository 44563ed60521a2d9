"""What a note is: as it is kept, as it is written, and what those who listen are told."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, StringConstraints

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, StringConstraints(max_length=10_000)]


class NewNote(BaseModel):
    """What it takes to add a note."""

    title: Title
    text: Text = ""


class NoteEdit(BaseModel):
    """What of a note is to be another; what is left out stays."""

    title: Title | None = None
    text: Text | None = None


class Note(NewNote):
    """A note that is kept."""

    id: int
    added: AwareDatetime
    edited: AwareDatetime


class News(BaseModel):
    """What has happened to these notes; `all` means that there are no others."""

    what: Literal["all", "saved", "deleted"]
    notes: list[Note]
