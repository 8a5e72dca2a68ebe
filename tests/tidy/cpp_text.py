"""Just enough C++ for the style test: text without comments and literals; where functions begin and end."""

import re
from typing import NamedTuple


class Function(NamedTuple):
    name: str
    line: int   # of the first line of its head, from 1
    lines: int  # from there to its closing brace


_TOKEN = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|\bR"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)
_DIRECTIVE = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.MULTILINE)


def _blank(match):
    return re.sub(r'[^\n]', ' ', match.group())


def without_comments(text):
    """The text with comments blanked; every line keeps its number."""
    return _TOKEN.sub(lambda m: _blank(m) if m.group().startswith(('//', '/*')) else m.group(), text)


def code_only(text):
    """The text with comments, literals and preprocessor lines blanked; every line keeps its number."""
    return _DIRECTIVE.sub(_blank, _TOKEN.sub(_blank, text))


_LABEL = re.compile(r'\b(?:public|protected|private)\s*:(?!:)')
_ATTRIBUTE = re.compile(r'\[\[.*?\]\]'
                        r'|\b__attribute__\s*\(\(.*?\)\)'
                        r'|\balignas\s*\((?:[^()]|\([^()]*\))*\)', re.DOTALL)
_SCOPE = re.compile(r'(?:(?:export|inline|static|constexpr|typedef|extern)\s+)*'
                    r'(?:namespace|class|struct|union|enum|extern)\b')
_INITIALISER_LIST = re.compile(r'\)[^()]*?(?<!:):(?!:)')


def _without_template(head):
    """The head of a declaration behind its `template <...>`."""
    while head.startswith('template'):
        depth = 0
        for i, c in enumerate(head):
            if c == '<':
                depth += 1
            elif c == '>':
                depth -= 1
                if depth == 0:
                    head = head[i + 1:].lstrip()
                    break
        else:
            return head
    return head


def _kind(head):
    """What a brace behind this head opens: 'scope', 'function' or 'value' (a list of initial values)."""
    head = _without_template(_ATTRIBUTE.sub(' ', head).strip())
    if '(' not in head:
        return 'scope' if head == '' or _SCOPE.match(head) else 'value'
    before_parenthesis = head.split('(', 1)[0]
    if _INITIALISER_LIST.search(head) and re.search(r'[\w>]$', head):
        return 'value'  # member_{...} in the initialiser list of a constructor
    if '=' in before_parenthesis and 'operator' not in before_parenthesis and '](' not in head:
        return 'value'
    return 'function'


def _closing(code, at):
    """The index of the brace that closes the one at `at` (the end of the text where there is none)."""
    depth = 0
    for i in range(at, len(code)):
        if code[i] == '{':
            depth += 1
        elif code[i] == '}':
            depth -= 1
            if depth == 0:
                return i
    return len(code) - 1


def functions(text):
    """Every function with a body, in order; lambdas and local classes belong to the function around them."""
    code = _LABEL.sub(_blank, code_only(text))
    found = []
    start = i = 0  # start: where the current declaration began
    while i < len(code):
        c = code[i]
        if c in ';}':
            start = i + 1
        elif c == '{':
            kind = _kind(code[start:i])
            if kind == 'scope':
                start = i + 1
            else:
                end = _closing(code, i)
                if kind == 'function':
                    found.append(_function(code, start, i, end))
                    start = end + 1
                i = end
        i += 1
    return found


def _function(code, start, brace, end):
    head = code[start:brace]
    head_start = start + len(head) - len(head.lstrip())
    first = code.count('\n', 0, head_start) + 1
    name = re.search(r'(operator\s*(?:\(\)|[^\s(]+)|[\w:~]+)\s*\(', _ATTRIBUTE.sub(' ', head))
    return Function(name.group(1) if name else '?', first, code.count('\n', head_start, end) + 1)
