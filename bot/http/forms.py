"""Forms as browsers, phones and vendors post them."""

from urllib.parse import parse_qsl


def form_of(body: bytes) -> dict[str, list[str]]:
    """The fields of a form, repeated ones together. Empty for a body that is no form."""
    form: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200):
            form.setdefault(name, []).append(value)
    except ValueError:
        return {}
    return form


def value_of(form: dict[str, list[str]], name: str) -> str:
    """The last value of a field; empty if there is none."""
    return form.get(name, [""])[-1]
