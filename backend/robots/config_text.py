"""Changes values in the text of a config and leaves all else as it is, comments above all.

The comments of a robot config are its documentation, and reading and writing YAML would drop them.
So a value's place is looked up in the parsed text and only its characters are replaced; a key that
is not there yet is put in front of the first one beside it. JSON is YAML too.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

Path = tuple[str, ...]
LONGEST_LINE = 1_000_000


class ConfigTextError(ValueError):
    """The text cannot be changed in that place; says where and why."""


def with_changes(text: str, changes: Iterable[tuple[Path, Any]]) -> str:
    """Return `text` with values changed, one after the other.

    Args:
        text: YAML whose top is a mapping.
        changes: Keys from the top down, and the value that belongs there.

    Raises:
        ConfigTextError: The text is no such YAML, or a key on the way holds no mapping.
    """
    for path, value in changes:
        text = _with_value(text, path, value)
    return text


def _with_value(text: str, path: Path, value: Any) -> str:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigTextError(f"the config cannot be read: {error}") from error
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            where = ".".join(path[:depth]) or "the config"
            raise ConfigTextError(f"{where} holds no keys, so {key!r} cannot be set there")
        found = next((value for name, value in node.value if name.value == key), None)
        if found is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return _inserted(text, node, key, value)
        node = found
    if isinstance(node, yaml.ScalarNode) and node.value == "" and node.style is None:
        # A key without a value: there is nothing to replace.
        return f"{text[: node.start_mark.index]} {_flow(value)}{text[node.start_mark.index :]}"
    return text[: node.start_mark.index] + _flow(value) + text[_end(node) :]


def _inserted(text: str, mapping: yaml.MappingNode, key: str, value: Any) -> str:
    entry = f"{_flow(key)}: {_flow(value)}"
    if not mapping.value:
        return f"{text[: mapping.start_mark.index]}{{{entry}}}{text[mapping.end_mark.index :]}"
    first = mapping.value[0][0].start_mark
    if mapping.flow_style:
        return f"{text[: first.index]}{entry}, {text[first.index :]}"
    if first.column == 0:
        # At the top comments stand above their keys: a new one goes to the end.
        return f"{text.rstrip()}\n\n{entry}\n"
    return f"{text[: first.index]}{entry}\n{' ' * first.column}{text[first.index :]}"


def _end(node: yaml.Node) -> int:
    """Where a node's own characters end: blocks claim the comments behind them as well."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _flow(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    # In a list, because a value that may stand bare elsewhere may need quotes in braces; and with
    # everything escaped that would not stay in its line.
    plain = not isinstance(value, str) or value.isprintable()
    dumped = yaml.safe_dump(
        [value],
        default_flow_style=True,
        default_style=None if plain else '"',
        width=LONGEST_LINE,
        allow_unicode=plain,
    )
    return str(dumped).strip().removeprefix("[").removesuffix("]")


def comments(text: str) -> dict[Path, str]:
    """The comment above each key, in one line, by the keys from the top down; none for others.

    Raises:
        ConfigTextError: The text cannot be read.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigTextError(f"the config cannot be read: {error}") from error
    found: dict[Path, str] = {}
    _collect(node, (), text.splitlines(), found)
    return found


def _collect(node: Any, path: Path, lines: list[str], found: dict[Path, str]) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        here = (*path, name.value)
        words: list[str] = []
        index = name.start_mark.line
        # Several keys in one line have no comment of their own.
        is_first = not lines[index][: name.start_mark.column].strip()
        while is_first and index > 0 and lines[index - 1].strip().startswith("#"):
            index -= 1
            words.insert(0, lines[index].strip().lstrip("#").strip())
        if words:
            found[here] = " ".join(words)
        _collect(value, here, lines, found)
