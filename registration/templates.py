"""Templates of pages and mails: ours, and those that a shop has instead."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.meta import find_referenced_templates
from jinja2.runtime import Context

from registration.texts import translations

SUFFIXES = (".html", ".mail", ".txt", ".css")


class TemplateFault(Exception):
    """A template that cannot be used; the text is one line with its file, its line and the reason."""


def templates(directory: Path, *, own: str = "", escape: bool = True) -> Environment:
    """The templates of a directory, in which `_` translates to `language`; `escape` is for HTML.

    A file of the same name in the directory `own` is taken instead; it finds the one that it replaces as `ours/<name>`.
    """
    ours = FileSystemLoader(directory)
    environment = Environment(
        loader=ChoiceLoader([*([FileSystemLoader(own)] if own else []), ours, PrefixLoader({"ours": ours})]),
        autoescape=escape,  # noqa: S701 - off for plain text only
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    install: Callable[..., None] = environment.install_gettext_callables  # type: ignore[attr-defined]
    install(_gettext, _ngettext, newstyle=True)
    return environment


def compile_own(environment: Environment, own: Path, ours: Path) -> None:
    """Compile each template that stands in for one of ours, or that such a one uses. Raises TemplateFault."""
    names = [name for name in FileSystemLoader(own).list_templates() if not Path(name).name.startswith(".")]
    known = {*FileSystemLoader(ours).list_templates()}
    for name in names:
        with faults_told(own / name):
            tree = environment.parse((own / name).read_text("utf-8"), name, str(own / name))
            known |= {each for each in find_referenced_templates(tree) if each}
            environment.get_template(name)
    for name in names:
        if name not in known:
            raise TemplateFault(f"{own / name}: no template of ours has this name, and none of yours uses it")


@contextmanager
def faults_told(own: Path) -> Iterator[None]:
    """Turn whatever goes wrong in a template into a TemplateFault, which names the innermost line below `own`.

    A macro of ours can fail at a value that a template of the shop gave it. `own` is a file or a directory.
    """
    try:
        yield
    except TemplateSyntaxError as error:
        raise TemplateFault(f"{error.filename}:{error.lineno}: {error.message}") from None
    except Exception as error:  # an expression in a template can raise anything
        frames = [each for each in extract_tb(error.__traceback__) if Path(each.filename).suffix in SUFFIXES]
        frames = [each for each in frames if own in Path(each.filename).parents] or frames
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else f"{own}:1"
        raise TemplateFault(f"{place}: {type(error).__name__}: {' '.join(str(error).split())}") from None


@pass_context
def _gettext(context: Context, text: str) -> str:
    return translations(context["language"]).gettext(text)


@pass_context
def _ngettext(context: Context, singular: str, plural: str, number: int) -> str:
    return translations(context["language"]).ngettext(singular, plural, number)
