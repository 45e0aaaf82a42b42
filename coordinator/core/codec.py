"""Records as JSON text and back, exactly: decimals as strings, times in ISO 8601 with their zone.

The types of the record classes are the schema; a field that old text lacks takes its default. A bar
is a plain list, because there are many. A bar that kept the wire's numbers is written and read with
JSON numbers: a float's text gives back the same float. Successive records of a kind that is
frequent within a minute (SHARING) may share one text, a list of their texts.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import groupby
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import orjson

from coordinator.core import records as r
from coordinator.core.texts import WRITERS
from coordinator.core.values import Bar, WireBar, numbers_of, start_of, wire_bar

Decoder = Callable[[Any], Any]
SHARING = {r.DayRolled, r.OrderIntended, r.OrderReleased, r.EntryDenied, r.CancelRequested}
"""Kinds of which one minute may have many. A record that books money has a text of its own."""
_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def encode(record: r.Record) -> tuple[str, str]:
    """(kind, JSON text) of a record. Equal records give equal text."""
    (text,) = _texts(type(record), (record,))
    return type(record).__name__, text


def encode_all(records: Iterable[r.Record]) -> Iterator[tuple[str, str, r.Record]]:
    """(kind, JSON text, first record) of each text, in order; a text has one record or several."""
    for cls, group in groupby(records, type):
        kind, members = cls.__name__, list(group)
        texts = _texts(cls, members)
        if cls in SHARING and len(members) > 1:
            yield kind, f"[{','.join(texts)}]", members[0]
        else:
            yield from ((kind, text, one) for text, one in zip(texts, members, strict=True))


def _texts(cls: type, records: Sequence[r.Record]) -> list[str]:
    """The texts of records of one kind."""
    if cls is r.BarsSeen:
        return [_bars_seen(cast(r.BarsSeen, record)) for record in records]
    write = WRITERS.get(cls)
    if write is None:
        return [_text(_plain(record)) for record in records]
    found, at, at_text = list[str](), object(), ""
    for record in records:
        try:
            if record.at is not at:
                at, at_text = record.at, record.at.isoformat()
            found.append(write(record, at_text))
        except (AttributeError, KeyError, TypeError):  # a field is not of its declared type
            found.append(_text(_plain(record)))
    return found


def _bars_seen(record: r.BarsSeen) -> str:
    """The text that walking the fields gives, at 1 % of the cost: there is one for each frame."""
    bars = record.bars
    texts = {start: start.isoformat() for start in set(map(start_of, bars))}
    try:
        each = zip(bars, map(numbers_of, bars), strict=True)
        rows: list[Any] = [(bar.symbol, texts[bar.start], *numbers) for bar, numbers in each]
    except AttributeError:  # some are decimals
        rows = [_row(bar) for bar in bars]
    try:
        text = orjson.dumps(rows).decode()
    except TypeError:  # a count beyond 64 bits
        text = _text(rows)
    at, origin = record.at.isoformat(), record.origin.value
    return f'{{"at":"{at}","origin":"{origin}","bars":{text}}}'


def _row(bar: Bar) -> list[Any]:
    if isinstance(bar, WireBar) and bar.is_raw:
        return [bar.symbol, bar.start.isoformat(), *bar.numbers]
    return cast(list[Any], _plain(bar))


def decode(kind: str, body: str) -> r.Record:
    """The record of this kind and text.

    Raises:
        KeyError: the kind is not one of ours.
        ValueError, TypeError: the text does not fit the kind.
    """
    record: r.Record = _decoder_of(kind)(json.loads(body))
    return record


def decode_all(kind: str, body: str) -> list[r.Record]:
    """The records of this kind in a text, in order; mostly there is one.

    Raises:
        KeyError: the kind is not one of ours.
        ValueError, TypeError: the text does not fit the kind.
    """
    decoder, found = _decoder_of(kind), json.loads(body)
    return [decoder(one) for one in found] if isinstance(found, list) else [decoder(found)]


def _plain(value: Any) -> Any:
    match value:
        case None | str() | int() | float():
            return value
        case Decimal():
            return str(value)
        case Enum():
            return value.value
        case datetime() | date():
            return value.isoformat()
        case tuple() | list():
            return [_plain(item) for item in value]
        case Bar():
            return [_plain(getattr(value, name)) for name in value.__dataclass_fields__]
        case _ if is_dataclass(value):
            return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            raise TypeError(f"a record cannot hold {type(value).__name__}")


def _decoder(hint: Any) -> Decoder:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = _decoder(next(arg for arg in args if arg is not type(None)))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = _decoder(args[0])
        return lambda value: tuple(item(part) for part in value)
    if origin is Mapping:
        of = _decoder(args[1])
        return lambda value: {key: of(part) for key, part in value.items()}
    if hint in (datetime, date):
        parse: Decoder = hint.fromisoformat
        return parse
    if hint is Decimal or (isinstance(hint, type) and issubclass(hint, Enum)):
        make: Decoder = hint
        return make
    if hint is Bar:
        return _bar_decoder()
    if isinstance(hint, type) and is_dataclass(hint):
        return _record_decoder(hint)
    return lambda value: value


def _record_decoder(cls: type) -> Decoder:
    hints = get_type_hints(cls)
    decoders = [(f, _decoder(hints[f.name])) for f in fields(cls)]

    def decode_fields(value: Mapping[str, Any]) -> Any:
        given = {}
        for field, decoder in decoders:
            if field.name in value:
                given[field.name] = decoder(value[field.name])
            elif field.default is MISSING and field.default_factory is MISSING:
                raise ValueError(f"{cls.__name__} without {field.name}")
        return cls(**given)

    return decode_fields


def _bar_decoder() -> Decoder:
    hints = get_type_hints(Bar)
    decoders = [_decoder(hints[f.name]) for f in fields(Bar)]

    def decode_bar(value: Sequence[Any]) -> Bar:
        if isinstance(value[2], str):
            return Bar(*(d(part) for d, part in zip(decoders, value, strict=True)))
        symbol, start, opened, high, low, close, volume, trade_count, vwap = value
        numbers = opened, high, low, close, volume, trade_count, vwap
        return wire_bar(symbol, datetime.fromisoformat(start), numbers)

    return decode_bar


_KINDS: Mapping[str, type] = {cls.__name__: cls for cls in get_args(r.Record)}


@cache
def _decoder_of(kind: str) -> Decoder:
    """Made for the first record of its kind, since a session meets few of the kinds."""
    return _record_decoder(_KINDS[kind])
