"""The forms of a shield list, one module each: which entries a form can carry, and its files."""

from bastau.shield.forms import adblock, ftm, hosts, misp, prefixes, pytx, rpz, stix, table
from bastau.shield.forms.form import Form

FORMS: dict[str, Form] = {
    "hosts": hosts.FORM,
    "rpz": rpz.FORM,
    "adblock": adblock.FORM,
    "csv": table.FORM,
    "pytx": pytx.FORM,
    "prefixes": prefixes.FORM,
    "stix": stix.FORM,
    "misp": misp.FORM,
    "ftm": ftm.FORM,
}
"""Every form by the name that commands take."""

__all__ = ["FORMS", "Form"]
