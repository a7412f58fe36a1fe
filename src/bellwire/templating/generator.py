"""From a parsed template to Python: Jinja2's own generator, but what it leaves to Python alone is counted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jinja2 import nodes
from jinja2.compiler import CodeGenerator
from jinja2.idtracking import VAR_LOAD_RESOLVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment
    from jinja2.compiler import Frame


class Generator(CodeGenerator):
    """Writes the operations that Jinja2 leaves to Python so that they are counted, and texts so that they are safe."""

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:  # noqa: N802 - Jinja2 finds it by this name
        """Write a literal: a text is the author's own."""
        if isinstance(node.value, str):
            self.write(f"environment.literal({node.value!r})")
        else:
            super().visit_Const(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja2 finds it by this name
        """Write ``a ~ b``."""
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802 - Jinja2 finds it by this name
        """Write a comparison."""
        self._counted(partial(super().visit_Compare, node, frame))

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802 - Jinja2 finds it by this name
        """Write a list."""
        self._counted(partial(super().visit_List, node, frame))

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802 - Jinja2 finds it by this name
        """Write a tuple: of values, or of names to assign to."""
        write = partial(super().visit_Tuple, node, frame)
        if node.ctx == "load":
            self._counted(write)
        else:
            write()

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802 - Jinja2 finds it by this name
        """Write a mapping."""
        self._counted(partial(super().visit_Dict, node, frame))

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 - Jinja2 finds it by this name
        """Write ``a[b]``: slices do not pass by the environment otherwise."""
        write = partial(super().visit_Getitem, node, frame)
        if isinstance(node.arg, nodes.Slice):
            self._counted(write)
        else:
            write()

    def visit_CallBlock(self, node: nodes.CallBlock, frame: Frame) -> None:  # noqa: N802 - Jinja2 finds it by this name
        """Write a call with a body, what it returns escaped like any other value."""
        call_frame, macro = self.macro_body(node, frame)
        self.writeline("caller = ")
        self.macro_def(macro, call_frame)
        self.start_write(frame, node)
        self.write("environment.finalize(context, ")
        self.visit_Call(node.call, frame, forward_caller=True)
        self.write(")")
        self.end_write(frame)

    def _counted(self, write: Callable[[], None]) -> None:
        self.write("environment.counted(")
        write()
        self.write(")")


class NameFinder(Generator):
    """Finds the names that a template takes from outside.

    Jinja2's own finder computes constants on the way, and leaves them in the tree.
    """

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment, None, None, optimized=False)
        self.names: set[str] = set()

    def write(self, x: str) -> None:
        """Write nothing."""

    def enter_frame(self, frame: Frame) -> None:
        """Note which names of a scope are looked up."""
        super().enter_frame(frame)
        self.names |= {name for action, name in frame.symbols.loads.values() if action == VAR_LOAD_RESOLVE and name}
