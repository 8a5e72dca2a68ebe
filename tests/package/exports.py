#!/usr/bin/env python3
"""What libisolith.so exports: every public function, and nothing of the folders inside.

Usage: exports.py <libisolith.a> <libisolith.so>

Public is what lies directly in namespace isolith; the namespace of a folder is internal. The list that the
linker gets is cmake/isolith.map.
"""

import re
import subprocess
import sys

OURS = re.compile(r'(?:(?:vtable|typeinfo|typeinfo name) for )?(?=isolith::)')
INTERNAL = re.compile(r'isolith::(?:\(anonymous namespace\)|[a-z_]+)::')


def symbols(*arguments):
    """Kind and demangled name of the symbols that a library defines, without clones of the optimiser's."""
    command = ['nm', '-C', '--defined-only', *arguments]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.findall(r'^[0-9a-f]+ (\w) (.+)$', output, re.MULTILINE)
    return [(kind, name.split('@')[0]) for kind, name in found if '[clone' not in name]


def is_public(name):
    ours = OURS.match(name)
    return ours is not None and INTERNAL.match(name, ours.end()) is None


def main():
    static, shared = sys.argv[1:]
    exported = {name for _, name in symbols('-D', shared)}
    public = {name for kind, name in symbols(static) if kind in 'TDBR' and is_public(name)}
    leaked = {name for name in exported if not is_public(name)}
    for name in sorted(public - exported):
        print(f'public, but not exported: {name}')
    for name in sorted(leaked):
        print(f'exported, but not public: {name}')
    print(f'{len(exported)} symbols exported, {len(public)} public ones defined')
    return 1 if leaked or not public or public - exported else 0


if __name__ == '__main__':
    sys.exit(main())
