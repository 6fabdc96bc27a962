"""Notes in tests: their codes, and the one of a code."""


def codes(notes):
    """The codes of notes, in their order."""
    return [note.code for note in notes]


def noted(notes, code):
    """The data of the only note of a code."""
    (matching,) = (note for note in notes if note.code == code)
    return dict(matching.data)
