"""A command that knows which option a stray word was meant for."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from typer.core import TyperCommand

if TYPE_CHECKING:
    from typer._click import Context

_OPTIONS = {".json": "--config", ".parquet": "--bars", ".csv": "--bars"}
"""By a file's suffix, the option that takes such a file."""


class WithoutStrays(TyperCommand):
    """A command that refuses a file without an option by naming the option."""

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
