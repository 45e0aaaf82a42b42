"""What all commands of `multi-trader` have in common: plain usage lines, and helpful refusals."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from typer.core import TyperCommand

if TYPE_CHECKING:
    from typer._click import Context

_OPTIONS = {".json": "--config", ".parquet": "--bars", ".csv": "--bars"}
"""By a file's suffix, the option that takes such a file."""
_BRACKETS = re.compile(r"^(?:\{(.*)\}|\[(\[.*\])\])$")
"""What typer adds around an argument's own name, which has its brackets already."""


class Command(TyperCommand):
    """A command that writes its usage as users type it, and names the option of a stray file."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """The words of the usage line: NAME where it is required, [NAME] where it is not."""
        return [_BRACKETS.sub(r"\1\2", piece) for piece in super().collect_usage_pieces(ctx)]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """The arguments that are left, as click wants them; a usage error for a stray file."""
        if not ctx.resilient_parsing:
            given, strays, _ = self.make_parser(ctx).parse_args(args=list(args))
            self._refuse(ctx, given, strays)
        return super().parse_args(ctx, args)

    def _refuse(self, ctx: Context, given: dict[str, object], strays: Sequence[str]) -> None:
        for stray in strays:
            option = _OPTIONS.get(PurePath(stray).suffix.lower())
            for param in self.params:
                if option in param.opts and param.name not in given:
                    ctx.fail(f"{stray} needs its option: {option} {shlex.quote(stray)}")
