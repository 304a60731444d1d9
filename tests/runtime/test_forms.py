"""A form is known by its name and by a file's first input."""
from kit.runtime.forms import FORMS, by_first_input


def test_the_first_input_tells_a_form():
    assert all(by_first_input(form.first_input) is form for form in FORMS.values())
    assert by_first_input("serving_default_x") is None
