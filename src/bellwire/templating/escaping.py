"""Text from outside made harmless for where it is shown. What a template's author wrote is never changed."""

from __future__ import annotations

import html
import re
from typing import Any, ClassVar

from markupsafe import Markup

from bellwire.templating.ranking import Ranked

# Control characters (but line end and tab), the marks that turn the direction of what follows (a title could otherwise
# rewrite the line it stands in), and what nobody sees: it hides words from filters and from readers. The joiners U+200C
# and U+200D stay, for emoji and whole languages are written with them.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\U000e0000-\U000e007f]"
)
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x85]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# more marks on one letter than any language puts there: they would cover the lines around
_STACKED_MARKS = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})"
                            "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")  # fmt: skip
_MASS_MENTION = re.compile(r"@(?=(?:everyone|here|channel|all|room|group)\b)|(?<=<)(?=[@!#])", re.IGNORECASE)
_SPLIT = "\u200b"  # nobody sees it, and no service finds a mention around it


def clean(text: str) -> str:
    """Return the text without what could break a line, an encoding or a reader's screen."""
    if text.isascii() and text.isprintable():
        return text
    text = _SURROGATES.sub("\ufffd", _LINE_ENDS.sub("\n", text))
    return _STACKED_MARKS.sub(r"\1", _UNPRINTABLE.sub("", text))


def mrkdwn(text: str) -> str:
    """Return text that Slack shows as it is: no mention, link or date can be forged."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def tame(text: str) -> str:
    """Return text in which none of Apprise's services finds a mention of everyone, though it reads the same."""
    return _MASS_MENTION.sub(lambda found: found[0] + _SPLIT, text)


class Safe(Markup):
    """Text that needs no more escaping: a template's own, or escaped. Joined with other text, it escapes that.

    Each form of text has its class; this one is for plain text, where nothing is markup.
    """

    __slots__ = ()
    quotes: ClassVar[Any] = staticmethod(str)

    @classmethod
    def escape(cls, s: Any, /) -> Any:
        """Return ``s`` for this form; what is safe stays as it is."""
        return s if isinstance(s, cls) else cls(s if isinstance(s, Markup) else cls.quotes(clean(str(s))))

    # 'error' <= alert.severity: Python asks the left one first, which leaves it to the severity

    def __lt__(self, other: str) -> bool:
        return NotImplemented if isinstance(other, Ranked) else super().__lt__(other)

    def __le__(self, other: str) -> bool:
        return NotImplemented if isinstance(other, Ranked) else super().__le__(other)

    def __gt__(self, other: str) -> bool:
        return NotImplemented if isinstance(other, Ranked) else super().__gt__(other)

    def __ge__(self, other: str) -> bool:
        return NotImplemented if isinstance(other, Ranked) else super().__ge__(other)


class Plain(Safe):
    """Text where nothing is markup."""

    __slots__ = ()


class Mrkdwn(Safe):
    """Slack's markup."""

    __slots__ = ()
    quotes = staticmethod(mrkdwn)


class Html(Safe):
    """HTML, within quotes too."""

    __slots__ = ()
    quotes = staticmethod(html.escape)


class Tame(Safe):
    """Plain text for a service of Apprise."""

    __slots__ = ()
    quotes = staticmethod(tame)
