"""What the lints share: a small C++ tokenizer, the files to look at, and the report."""

import pathlib
import re
import sys
from typing import NamedTuple

CPP_ENDINGS = {".hpp", ".cpp", ".ipp", ".h"}


class Token(NamedTuple):
    text: str
    line: int


class Finding(NamedTuple):
    file: str
    line: int
    text: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.text}"


_TOKEN = re.compile(
    r"""
      (?P<skip>   //(?:\\\n|[^\n])* | /\*.*?\*/ | \s+ | \#(?:\\\n|[^\n])* )
    | (?P<raw>    (?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)" )
    | (?P<string> (?:u8|[uUL])?"(?:\\.|[^"\\\n])*" )
    | (?P<char>   (?:u8|[uUL])?'(?:\\.|[^'\\\n])+' )
    | (?P<number> \.?[0-9](?:'?[0-9A-Za-z_]|[eEpP][+-]|\.)* )
    | (?P<word>   [A-Za-z_][A-Za-z0-9_]* )
    | (?P<symbol> \.\.\.|<=>|<<=|->\*|->|::|\+\+|--|&&|\|\||[-+*/%^&|=!<]=|. )
    """,
    re.VERBOSE | re.DOTALL,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def tokens(text):
    """The tokens of a text without comments, directives and attributes; literals are emptied."""
    found = []
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in ("raw", "string", "mark"):
            found.append(Token('""', line))
        elif kind == "char":
            found.append(Token("''", line))
        elif kind != "skip":
            found.append(Token(match.group(), line))
        line += match.group().count("\n")
    return _without_attributes(found)


def _without_attributes(found):
    kept = []
    i = 0
    while i < len(found):
        # `[[` opens an attribute unless it indexes something.
        if found[i].text == "[" and i + 1 < len(found) and found[i + 1].text == "[":
            end = i + 2
            while end + 1 < len(found) and not (found[end].text == "]" and found[end + 1].text == "]"):
                end += 1
            i = end + 2
        else:
            kept.append(found[i])
            i += 1
    return kept


def includes(text):
    """(line, is_quoted, path) of each include directive outside of block comments."""
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group().count("\n"), text, flags=re.DOTALL)
    for match in _INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1) == '"', match.group(2)


def cpp_files(root, folders):
    """The C++ files below the folders of the tree `root`, sorted."""
    files = []
    for folder in folders:
        files += [path for path in (root / folder).rglob("*") if path.suffix in CPP_ENDINGS and path.is_file()]
    return sorted(files)


def report(findings, looked_at):
    """Prints the findings and returns the exit code. A lint that found nothing to look at has failed."""
    for finding in sorted(findings):
        print(finding)
    print(f"{len(findings)} findings in {looked_at} files")
    return 1 if findings or not looked_at else 0


def root_of_arguments():
    """The tree to look at: the argument, or the one that holds this script."""
    return pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
