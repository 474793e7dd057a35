"""The address is the state: every control of a page stands in its URL, so a lesson is a link.

A page opens one :class:`Link` with its fields, above its first control, and hands it to the
controls. The link reads the address when the reader arrives or goes back in history, remembers
every value across page switches, writes what differs from the defaults back into the address, and
shows a message where a link asks for something that cannot be.

Streamlit's own ``bind="query-params"`` (1.67, measured) resets a bad value to its default without
a word, one widget at a time; a reader of a mistyped link would study the wrong picture.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from iwae_core.ui.fields import BoolField, ChoiceField, Field, FloatField, IntField, SeedField

__all__ = ["BoolField", "ChoiceField", "FloatField", "IntField", "Link", "SeedField"]

T = TypeVar("T")
Defaults = Callable[[Mapping[str, Any]], Mapping[str, Any]]

_CURRENT_PAGE = "url/page"


@dataclass(slots=True)
class _Memory:
    """What a session remembers about one page's address."""

    values: dict[str, Any]
    messages: list[str] = dataclasses.field(default_factory=list)


def turn_to(page: str) -> None:
    """Note which page runs; the registry calls it, so that pages without fields count too."""
    if st.session_state.get(_CURRENT_PAGE) != page:
        st.session_state.pop(_CURRENT_PAGE, None)


class Link:
    """One page's fields, in step with its address; make it before the page's first control.

    Args:
        page: The page's name, as in ``ui.lessons``.
        fields: Everything that decides what the page shows.
        defaults: Gives, from the values of some fields, the defaults of others where these are
            not their own: a page whose steps follow from its data. All by their names.

    Raises:
        ValueError: If two fields have one name.
    """

    def __init__(
        self, page: str, *fields: Field[Any], defaults: Defaults = lambda values: {}
    ) -> None:
        self._page = page
        self._defaults = defaults
        self._fields = {field.name: field for field in fields}
        if len(self._fields) < len(fields):
            raise ValueError(f"two fields of page {page!r} have the same name")
        self._memory = self._remember()
        arrived = st.session_state.get(_CURRENT_PAGE) != page
        st.session_state[_CURRENT_PAGE] = page
        if self._take_moved_controls() and not arrived:
            self._memory.messages.clear()
        elif self._address_is_news(arrived):
            self._adopt(st.query_params.to_dict())
        self._write()
        for message in self._memory.messages:
            st.warning(message, icon=":material/link_off:")

    @property
    def page(self) -> str:
        """The page's name."""
        return self._page

    def key(self, field: Field[Any]) -> str:
        """Key of the field's widget, whose state holds the field's value from here on."""
        key = f"{self._page}.{field.name}"
        if key not in st.session_state:  # first visit, or back from another page
            st.session_state[key] = self._memory.values[field.name]
        return key

    def value(self, field: Field[T]) -> T:
        """The field's value in this run."""
        value: T = self._memory.values[field.name]
        return value

    def accept(self, field: Field[T], value: T) -> T:
        """Take the value a widget has just given, and return it; the address follows."""
        if value != self._memory.values[field.name]:
            self._memory.values[field.name] = value
            self._write()
        return value

    def set(self, field: Field[T], value: T) -> None:
        """Change a field from a widget's callback, before the page runs again."""
        st.session_state[f"{self._page}.{field.name}"] = value

    def reset(self, *keep: Field[Any]) -> None:
        """Set every field but those named back to its default, from a widget's callback."""
        kept = {field.name for field in keep}
        for field in self._fields.values():
            if field.name not in kept:
                self.set(field, field.default)

    def _remember(self) -> _Memory:
        key = f"url/{self._page}"
        if key not in st.session_state:
            defaults = {field.name: field.default for field in self._fields.values()}
            st.session_state[key] = _Memory(values=defaults)
        memory: _Memory = st.session_state[key]
        return memory

    def _take_moved_controls(self) -> bool:
        moved = False
        for name in self._fields:
            key = f"{self._page}.{name}"
            if key in st.session_state and st.session_state[key] != self._memory.values[name]:
                self._memory.values[name] = st.session_state[key]
                moved = True
        return moved

    def _address_is_news(self, arrived: bool) -> bool:
        if arrived:
            # The navigation drops the query: a bare address means "as I left it".
            return bool(st.query_params.to_dict())
        # Any other run may carry an address from before the one written last, however slow the
        # browser is to hear of that.
        return _goes_through_history()

    def _adopt(self, address: dict[str, str]) -> None:
        self._memory.messages = [
            f"The link's setting `{_plain(name)}` is unknown on this page; it is ignored."
            for name in address
            if name not in self._fields
        ]
        named, refused = {}, {}
        for name in address.keys() & self._fields.keys():
            try:
                named[name] = self._fields[name].parse(address[name])
            except ValueError as error:
                refused[name] = str(error)
        own = {name: field.default for name, field in self._fields.items()} | named
        values = own | dict(self._defaults(own)) | named
        for name, field in self._fields.items():
            if name in refused:
                self._memory.messages.append(
                    f"`{name} = {_plain(address[name])}` in the link {refused[name]}; "
                    f"using {field.write(values[name])}."
                )
            self._memory.values[name] = values[name]
            st.session_state[f"{self._page}.{name}"] = values[name]

    def _write(self) -> None:
        values = self._memory.values
        given = self._defaults(values)
        address = {
            name: field.write(values[name])
            for name, field in self._fields.items()
            if values[name] != given.get(name, field.default)
        }
        if address != st.query_params.to_dict():
            st.query_params.from_dict(address)


def _goes_through_history() -> bool:
    """Whether the page runs because its reader goes back or forward in the browser's history."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _plain(text: str, limit: int = 24) -> str:
    """Shorten a stranger's text and strip what could end the code span it is shown in."""
    text = "".join(letter for letter in text if letter.isprintable() and letter != "`")
    return text if len(text) <= limit else text[:limit] + "..."
