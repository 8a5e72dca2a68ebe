#!/usr/bin/env python3
"""The rules of the tree that a machine can check. Usage: style.py <root of the tree>

Prints each breach as `file:line: what is wrong` and fails when there is one. The self-test beside it shows
every rule failing.
"""

import pathlib
import re
import sys

import cpp_text

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LINE_WIDTH_MAX = 110
PUBLIC_HEADER_LINES_MAX = 1200
README_LINES_MIN, README_LINES_MAX = 60, 250
OPTIONS_MEMBERS_MAX = 12

# Who may include whom: the folder itself, 'isolith/', and the folders listed. A folder that is missing here
# may include no other; tests may include everything.
ENGINE_LEVELS = [['base'], ['wal', 'pages'], ['btree'], ['mvcc', 'locking'], ['txn']]
ENGINE = {name for level in ENGINE_LEVELS for name in level}
MAY_INCLUDE = {'anomalies': set(), 'tools': {'anomalies'}, 'docs': {'anomalies'},
               'bench': ENGINE | {'anomalies'}}
for number, level in enumerate(ENGINE_LEVELS):
    for name in level:
        MAY_INCLUDE[name] = {below for lower in ENGINE_LEVELS[:number] for below in lower}

DATA_PATH = ENGINE - {'base'}
MACROS = {'base/check.h': {'CHECK', 'DCHECK', 'TRY'}}
README_MAY_BE_SHORT = {'cmake', 'scripts', 'docs'}

CPP = {'.h', '.cc'}
WIDTH_CHECKED = CPP | {'.py', '.cmake', '.sh'}


class Tree:
    """The files of a tree, without what is hidden or built."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.texts = {}
        for path in sorted(self.root.rglob('*')):
            relative = path.relative_to(self.root)
            hidden = any(part.startswith(('.', '__')) for part in relative.parts)
            if hidden or relative.parts[0].startswith('build') or not path.is_file():
                continue
            try:
                self.texts[relative.as_posix()] = path.read_text(encoding='utf-8')
            except UnicodeDecodeError:
                continue  # test data

    def select(self, suffixes):
        return {name: text for name, text in self.texts.items()
                if pathlib.PurePosixPath(name).suffix in suffixes}

    def scripts(self):
        return {name: text for name, text in self.texts.items()
                if name.endswith('CMakeLists.txt') or text.startswith('#!')}


def line_of(text, index):
    return text.count('\n', 0, index) + 1


def check_includes(tree):
    for name, text in tree.select(CPP).items():
        folder = name.split('/')[0]
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.MULTILINE):
            problem = include_problem(folder, match.group(1), match.group(2))
            if problem:
                yield f'{name}:{line_of(text, match.start())}: {problem}'


def include_problem(folder, bracket, included):
    target = included.split('/')[0]
    if folder == 'include' and bracket == '<' and ('/' in included or included.endswith('.h')):
        return f'a public header includes <{included}>: only the C++ library may be named there'
    if folder == 'tests' or target == 'isolith' or bracket == '<':
        return None
    if '/' not in included:
        return f'"{included}" is not written from the root of the tree'
    if target == folder or target in MAY_INCLUDE.get(folder, set()):
        return None
    return f'{folder}/ may not include "{included}": includes point down only'


def check_functions(tree):
    for name, text in tree.select(CPP).items():
        for function in cpp_text.functions(text):
            if function.lines > FUNCTION_LINES_MAX:
                yield (f'{name}:{function.line}: {function.name} has {function.lines} lines, '
                       f'{FUNCTION_LINES_MAX} are allowed')


def check_files(tree):
    for name, text in tree.select(CPP | {'.py'}).items():
        lines = len(text.splitlines())
        if lines > FILE_LINES_MAX:
            yield f'{name}:1: the file has {lines} lines, {FILE_LINES_MAX} are allowed'


def check_width(tree):
    for name, text in {**tree.select(WIDTH_CHECKED), **tree.scripts()}.items():
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > LINE_WIDTH_MAX:
                yield f'{name}:{number}: the line has {len(line)} columns, {LINE_WIDTH_MAX} are allowed'


def check_words(tree):
    for name, text in tree.select(CPP | {'.cmake'}).items():
        for match in re.finditer(r'\b(TODO|FIXME|XXX)\b(?!\([^()]+\))', text):
            yield f'{name}:{line_of(text, match.start())}: {match.group(1)} without a reason in parentheses'
    for name, text in tree.select(CPP).items():
        code = cpp_text.code_only(text)
        for match in re.finditer(r'\busing\s+namespace\s+std\s*;', code):
            yield f'{name}:{line_of(code, match.start())}: using namespace std'
        if name.split('/')[0] in DATA_PATH:
            for match in re.finditer(r'\b(shared_ptr|make_shared)\b', code):
                yield f'{name}:{line_of(code, match.start())}: {match.group(1)} in the data path'


def check_macros(tree):
    for name, text in tree.select(CPP).items():
        bare = cpp_text.without_comments(text)
        for match in re.finditer(r'^[ \t]*#[ \t]*define[ \t]+(\w+)', bare, re.MULTILINE):
            if match.group(1) not in MACROS.get(name, set()):
                yield f'{name}:{line_of(bare, match.start())}: the macro {match.group(1)}'
        if name.endswith('.h') and not re.search(r'^#pragma once$', bare, re.MULTILINE):
            yield f'{name}:1: no #pragma once'


def check_public_headers(tree):
    lines = sum(len(text.splitlines()) for name, text in tree.texts.items()
                if name.startswith('include/') and name.endswith('.h'))
    if lines >= PUBLIC_HEADER_LINES_MAX:
        yield f'include/isolith: {lines} lines of public headers, {PUBLIC_HEADER_LINES_MAX} are too many'


def check_readmes(tree):
    folders = {name.split('/')[0] for name in tree.texts if '/' in name} - {'include'}
    if any(name.startswith('include/isolith/') for name in tree.texts):
        folders.add('include/isolith')
    for folder in sorted(folders):
        text = tree.texts.get(f'{folder}/README.md')
        if text is None:
            yield f'{folder}: no README.md'
            continue
        lines = len(text.splitlines())
        if lines > README_LINES_MAX or (lines < README_LINES_MIN and folder not in README_MAY_BE_SHORT):
            yield (f'{folder}/README.md:1: {lines} lines, '
                   f'{README_LINES_MIN} to {README_LINES_MAX} are allowed')


def check_options(tree):
    name = 'include/isolith/options.h'
    code = cpp_text.code_only(tree.texts.get(name, ''))
    match = re.search(r'\bstruct Options \{(.*?)\n\};', code, re.DOTALL)
    if match is None:
        yield f'{name}: no struct Options'
        return
    members = [m for m in match.group(1).split(';') if m.strip() and '(' not in m.split('=')[0]]
    if len(members) > OPTIONS_MEMBERS_MAX:
        yield f'{name}: Options has {len(members)} members, {OPTIONS_MEMBERS_MAX} are allowed'


def check_example(tree):
    program = tree.texts.get('docs/examples/quickstart/main.cc')
    match = re.search(r'^```cpp\n(.*?)^```$', tree.texts.get('README.md', ''), re.DOTALL | re.MULTILINE)
    if program is None or match is None:
        yield 'README.md: no program, or no docs/examples/quickstart/main.cc to compare it with'
    elif match.group(1) != program:
        yield 'README.md: its program is not docs/examples/quickstart/main.cc'


def check_version(tree):
    name = 'include/isolith/version.h'
    code = tree.texts.get(name, '')
    numbers = re.findall(r'\bkVersion(?:Major|Minor|Patch) = (\d+);', code)
    text = re.search(r'return "(.*?)";', code)
    project = re.search(r'^\s*VERSION ([\d.]+)', tree.texts.get('CMakeLists.txt', ''), re.MULTILINE)
    if not project or not text or not project.group(1) == text.group(1) == '.'.join(numbers):
        yield f'{name}: its numbers, its text and the version in CMakeLists.txt are not one version'


RULES = [check_includes, check_functions, check_files, check_width, check_words, check_macros,
         check_public_headers, check_readmes, check_options, check_example, check_version]


def breaches(root):
    tree = Tree(root)
    return [breach for rule in RULES for breach in rule(tree)]


def main():
    if len(sys.argv) != 2 or not pathlib.Path(sys.argv[1], 'CMakeLists.txt').is_file():
        print(__doc__, file=sys.stderr)
        return 2
    found = breaches(sys.argv[1])
    for breach in found:
        print(breach)
    print(f'style: {len(found)} breaches' if found else 'style: ok')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
