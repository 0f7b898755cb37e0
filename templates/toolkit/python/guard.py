"""Between the plugin and the interpreter: `print` and `time` are the host's, and an exception becomes an error that the
platform can show."""

import functools
import inspect
import io
import json
import random
import sys
import time
from typing import Any, Callable, Coroutine, Never, Optional, ParamSpec, TypeVar, overload

from componentize_py_types import Err
from wit_world.imports import host_clock, host_log
from wit_world.imports.host_log import Level
from wit_world.imports.types import Error

P = ParamSpec("P")
R = TypeVar("R")


class _Log(io.TextIOBase):
    """A stream whose lines go to the host's log."""

    def __init__(self, level: Level) -> None:
        self._level = level
        self._line = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            host_log.log(self._level, line, None)
        return len(text)

    def flush(self) -> None:
        if self._line:
            host_log.log(self._level, self._line, None)
            self._line = ""


def _trace(error: BaseException) -> str:
    # The module `traceback` would open source files, which are not there.
    lines = [f"{type(error).__name__}: {error}"]
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        lines.append(f"{code.co_filename}:{at.tb_lineno} in {code.co_qualname}")
        at = at.tb_next
    return "\n".join(lines)


def _install() -> None:
    # In the call and not when this is imported: then the component is being built, and there is no host.
    if not isinstance(sys.stdout, _Log):
        sys.stdout = _Log(Level.INFO)
        sys.stderr = _Log(Level.ERROR)
        time.time = lambda: host_clock.now() / 1e9
        time.time_ns = host_clock.now
        time.monotonic = lambda: host_clock.monotonic_now() / 1e9
    # The component keeps the seed that it was built with.
    random.seed(host_clock.random_u64())


def refuse(code: str, message: str, details: Optional[dict[str, Any]] = None) -> Err[Error]:
    """An error of this plugin, to be raised: a stable dotted code of your own, and a sentence for developers."""
    return Err(Error(code, message, False, None if details is None else json.dumps(details)))


def try_later(code: str, message: str) -> Err[Error]:
    """An error that may be gone when the same is tried again."""
    return Err(Error(code, message, True, None))


@overload
def guarded(function: Callable[P, Coroutine[Any, Any, Any]]) -> Never: ...
@overload
def guarded(function: Callable[P, R]) -> Callable[P, R]: ...
def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps an export. What is raised and is no error of the host API becomes one, and its trace goes into the log. An export
    that is `async` is refused: what it does would never happen."""

    @functools.wraps(function)
    def wrapper(*given: Any, **named: Any) -> Any:
        try:
            _install()
            result = function(*given, **named)
            if inspect.iscoroutine(result):
                result.close()
                raise refuse("plugin.async", "the export is async, and nobody waits for it")
            return result
        except Err:
            raise
        except BaseException as error:
            host_log.log(Level.ERROR, _trace(error), None)
            raise refuse("plugin.exception", f"{type(error).__name__}: {error}") from None
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    return wrapper
