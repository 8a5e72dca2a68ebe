#!/usr/bin/env python3
"""Self-test of the style test: a small tree that keeps all rules, and a change for each way to break one."""

import pathlib
import tempfile
import unittest

import cpp_text
import style

PROGRAM = '#include <isolith/isolith.h>\nint main() {}\n'
README = 'A line.\n' * 60
OPTIONS = '''#pragma once
namespace isolith {
struct Options {
  // (a comment; with a semicolon)
  std::size_t cache_bytes = std::size_t{256} << 20;
  bool read_only = false;
};
}  // namespace isolith
'''
VERSION = '#pragma once\n' + ''.join(f'constexpr int kVersion{part} = {number};\n' for part, number in
                                     [('Major', 1), ('Minor', 2), ('Patch', 3)]) + 'return "1.2.3";\n'
GOOD_TREE = {
    'CMakeLists.txt': 'project(isolith\n  VERSION 1.2.3)\n',
    'README.md': f'# isolith\n\n```cpp\n{PROGRAM}```\n',
    'docs/README.md': 'Short.\n',
    'docs/examples/quickstart/main.cc': PROGRAM,
    'include/isolith/README.md': README,
    'include/isolith/options.h': OPTIONS,
    'include/isolith/version.h': VERSION,
    'base/README.md': README,
    'base/check.h': '// X\n#pragma once\n#define CHECK(x) \\\n  (x)\n#define DCHECK(x)\n#define TRY(x)\n',
    'wal/README.md': README,
    'wal/writer.cc': '#include <string>\n#include "base/check.h"\n#include "isolith/options.h"\n',
    'pages/README.md': README,
    'pages/cache.cc': '#include "base/check.h"\n#include "pages/cache.h"\n// shared_ptr. TODO(needs x)\n',
    'pages/cache.h': '#pragma once\n',
}


def breaches(**changes):
    """What the good tree with these files in place of its own breaks."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**GOOD_TREE, **changes}.items():
            if text is None:
                continue
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
        return style.breaches(root)


def function_of(lines):
    return 'int f(int a,\n      int b) {\n' + '  a += b;\n' * (lines - 3) + '}\n'


class StyleTest(unittest.TestCase):
    def expect(self, expected, changes):
        found = breaches(**changes)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def test_a_good_tree_has_no_breach(self):
        self.assertEqual(breaches(), [])

    def test_includes_that_point_up(self):
        for name, included in [('base/x.cc', 'wal/unit.h'), ('wal/x.cc', 'pages/cache.h'),
                               ('pages/x.cc', 'txn/core.h'), ('pages/x.h', 'tests/support/seed.h'),
                               ('include/isolith/x.h', 'base/check.h')]:
            with self.subTest(name):
                self.expect(f'{name}:2: ', {name: f'#pragma once\n#include "{included}"\n'})

    def test_programs_around_the_engine_see_only_the_public_headers(self):
        for folder in ['anomalies', 'tools']:
            changes = {f'{folder}/README.md': README, f'{folder}/x.cc': '#include "base/check.h"\n'}
            self.expect('includes point down only', changes)
        for folder, included in [('tools', 'anomalies/history.h'), ('bench', 'btree/node.h')]:
            changes = {f'{folder}/README.md': README, f'{folder}/x.cc': f'#include "{included}"\n'}
            self.assertEqual(breaches(**changes), [])

    def test_an_include_is_written_from_the_root(self):
        self.expect('from the root', {'wal/x.cc': '#include "writer.h"\n'})

    def test_a_public_header_names_only_the_library(self):
        self.expect('<boost/x.hpp>', {'include/isolith/x.h': '#pragma once\n#include <boost/x.hpp>\n'})

    def test_long_functions(self):
        self.assertEqual(breaches(**{'wal/x.cc': function_of(70)}), [])
        self.expect('wal/x.cc:1: f has 71 lines', {'wal/x.cc': function_of(71)})

    def test_long_files(self):
        self.assertEqual(breaches(**{'wal/x.cc': 'int x;\n' * 600}), [])
        self.expect('601 lines', {'wal/x.cc': 'int x;\n' * 601})

    def test_wide_lines(self):
        for name, comment in [('wal/x.cc', '//'), ('wal/CMakeLists.txt', '#'), ('scripts/run', '#!')]:
            with self.subTest(name):
                scripts = {'scripts/README.md': 'Short.\n'}
                self.assertEqual(breaches(**scripts, **{name: comment.ljust(110, 'x')}), [])
                self.expect('111 columns', {**scripts, name: comment.ljust(111, 'x')})
        self.assertEqual(breaches(**{'wal/x.cc': '// ' + 'ä' * 107}), [])

    def test_banned_words(self):
        self.expect('TODO without a reason', {'wal/x.cc': '// ' + 'TODO: later\n'})
        self.expect('using namespace std', {'base/x.cc': 'using  namespace std;\n'})
        self.expect('shared_ptr in the data path', {'wal/x.cc': 'std::shared_ptr<int> x;\n'})
        self.expect('make_shared in the data path', {'pages/x.cc': 'auto x = std::make_shared<int>();\n'})
        self.assertEqual(breaches(**{'base/x.cc': 'std::shared_ptr<int> x;\n'}), [])

    def test_macros(self):
        self.expect('the macro CHECK', {'wal/x.cc': '# define CHECK(x)\n'})
        self.expect('the macro LOG', {'base/check.h': '#pragma once\n#define LOG(x)\n'})
        self.expect('no #pragma once', {'wal/x.h': 'int x;\n'})

    def test_public_headers_in_all(self):
        lines = 1200 - len((OPTIONS + VERSION).splitlines())
        many = {f'include/isolith/x{i}.h': '#pragma once\n' + '\n' * 399 for i in range(2)}
        last, once = 'include/isolith/y.h', '#pragma once\n'
        self.assertEqual(breaches(**many, **{last: once + '\n' * (lines - 802)}), [])
        self.expect('1200 lines of public', {**many, last: once + '\n' * (lines - 801)})

    def test_readmes(self):
        self.expect('wal: no README.md', {'wal/README.md': None})
        self.expect('59 lines', {'wal/README.md': 'x\n' * 59})
        self.expect('251 lines', {'wal/README.md': 'x\n' * 251})
        self.expect('include/isolith: no README.md', {'include/isolith/README.md': None})
        self.expect('docs/README.md:1: 251 lines', {'docs/README.md': 'x\n' * 251})

    def test_options(self):
        def options(members):
            text = ''.join(f'  int x{i} = 0;\n' for i in range(members))
            return {'include/isolith/options.h': f'#pragma once\nstruct Options {{\n{text}  void f();\n}};\n'}
        self.assertEqual(breaches(**options(12)), [])
        self.expect('Options has 13 members', options(13))
        self.expect('no struct Options', {'include/isolith/options.h': '#pragma once\n'})

    def test_the_program_of_the_readme(self):
        self.expect('its program is not', {'docs/examples/quickstart/main.cc': PROGRAM + '\n'})
        self.expect('no program', {'README.md': '# isolith\n'})

    def test_one_version(self):
        self.expect('not one version', {'include/isolith/version.h': VERSION.replace('"1.2.3"', '"1.2.4"')})
        self.expect('not one version', {'include/isolith/version.h': VERSION.replace('= 2', '= 3')})
        self.expect('not one version', {'CMakeLists.txt': 'project(isolith VERSION 1.3.3)\n'})

    def test_what_is_built_or_hidden_is_not_looked_at(self):
        bad = '#include "txn/core.h"\n'
        self.assertEqual(breaches(**{'build/x.cc': bad, 'build-test/base/x.cc': bad, '.cache/x.cc': bad}), [])
        self.expect('base/builder.cc:1', {'base/builder.cc': bad})


class FunctionsTest(unittest.TestCase):
    def names(self, text):
        return [(f.name, f.line, f.lines) for f in cpp_text.functions(text)]

    def test_kinds_of_functions(self):
        self.assertEqual(self.names('''
namespace a::b {
class [[nodiscard]] C : public D {
 public:
  C() noexcept : x_{1}, y_(2) {
    f([&] { return 1; });
  }
  template <typename T, class U = std::vector<int>>
    requires std::is_enum_v<T>
  auto g(T t) const -> int {
    struct Local { void inner() {} };
    return '}';
  }
  [[nodiscard]] bool operator()(int) const { return true; }
  int z_[2] = {1, 2};
  std::atomic<int> n_{0};
};
const auto table = make({
  1,
});
TEST(Suite, Name) {
  const char* text = "{{{";  // }}}
}
#define X(a) { \\
  {
}  // namespace
'''), [('C', 5, 3), ('g', 8, 6), ('operator()', 14, 1), ('TEST', 21, 3)])

    def test_raw_strings_and_digit_separators(self):
        self.assertEqual(self.names('''int f() {
  auto text = R"x({{ " )" {)x";
  return 1'000'000;
}
int g() { return 2; }
'''), [('f', 1, 4), ('g', 5, 1)])


if __name__ == '__main__':
    unittest.main()
