"""Words as they stand in XML, whoever wrote them."""

import re
from xml.sax.saxutils import escape, quoteattr

# Characters that XML 1.0 cannot hold, not even as references (section 2.2).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(value: str) -> str:
    """Return ``value`` as the text of an element, what no XML may hold replaced."""
    return escape(_NOT_XML.sub("\ufffd", value))


def xml_attribute(value: str) -> str:
    """Return ``value`` as an attribute, quotation marks around it, what no XML may hold replaced."""
    return quoteattr(_NOT_XML.sub("\ufffd", value))
