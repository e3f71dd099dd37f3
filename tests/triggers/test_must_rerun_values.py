"""Edits of values that jobs reach, of their options, arrays, inputs and upstreams."""

from __future__ import annotations

from tests.triggers.table import Projects, Row, must_rerun, project, table

VALUES = project('''
    import array, collections, datetime, decimal, fractions, functools, pathlib, re, types, uuid
    import numpy as np
    n = 10
    big = 1 << 70
    x = 0.5
    text = 'text'
    raw = b'raw'
    grown = bytearray(b'grown')
    table = {'a': 1, 'b': {'c': [1, 2]}}
    order = [3, 1, 2]
    names = {'x', 'y', 'z'}
    frozen = frozenset({1, 2})
    pair = (1, 'a')
    span = range(0, 10)
    cut = slice(1, 5)
    path = pathlib.Path('data') / 'a.csv'
    pattern = re.compile('a+b', re.I)
    day = datetime.date(2024, 1, 31)
    wait = datetime.timedelta(hours=3)
    price = decimal.Decimal('1.10')
    ratio = fractions.Fraction(1, 3)
    counter = collections.Counter('aab')
    filled = collections.defaultdict(list, a=[1])
    queue = collections.deque([1, 2], maxlen=5)
    ordered = collections.OrderedDict(a=1, b=2)
    chained = collections.ChainMap({'a': 1}, {'b': 2})
    space = types.SimpleNamespace(deep=types.SimpleNamespace(level=1))
    packed = array.array('d', [1, 2])
    ident = uuid.UUID(int=5)
    vector = np.arange(6, dtype='int64')
    matrix = np.arange(6.0).reshape(2, 3)
    scalar = np.float32(1.5)
    structured = np.array([(1, 2.0)], dtype=[('a', 'i4'), ('b', 'f8')])
    boxed = np.array([{'a': 1}], dtype=object)
    masked = np.ma.masked_array([1, 2], mask=[0, 1])
    kind = np.dtype('int32')
    handlers = {'double': lambda v: v * 2, 'triple': lambda v: v * 3}
    flag = None
    nan = float('inf')
    cyclic = [1]; cyclic.append(cyclic)
    chosen = max
    limits = {'low': 1}
    limits['high'] = 2
    views = {'p': 1, 'q': 2}.keys(), {'r': 3}.items(), {'s': 4}.values()

    @job
    def f_n(): print(n)
    @job
    def f_big(): print(big)
    @job
    def f_x(): print(x)
    @job
    def f_text(): print(text)
    @job
    def f_raw(): print(raw, grown)
    @job
    def f_table(): print(table['b'])
    @job
    def f_order(): print(order)
    @job
    def f_names(): print(sorted(names), frozen)
    @job
    def f_pair(): print(pair)
    @job
    def f_span(): print(span, cut)
    @job
    def f_path(): print(path)
    @job
    def f_pattern(): print(pattern)
    @job
    def f_times(): print(day, wait)
    @job
    def f_numbers(): print(price, ratio)
    @job
    def f_collections(): print(counter, filled, queue, ordered, chained)
    @job
    def f_space(): print(space.deep.level)
    @job
    def f_packed(): print(packed, ident)
    @job
    def f_vector(): print(vector)
    @job
    def f_matrix(): print(matrix)
    @job
    def f_scalar(): print(scalar, kind)
    @job
    def f_structured(): print(structured, boxed, masked)
    @job
    def f_handlers(): print(handlers['double'](1))
    @job
    def f_flag(): print(flag, nan)
    @job
    def f_cyclic(): print(len(cyclic))
    @job
    def f_chosen(): print(chosen(1, 2))
    @job
    def f_limits(): print(limits)
    @job
    def f_views(): print([sorted(view) for view in views])
''')  # fmt: skip

EDITS = [
    ('a number', 'n = 10\n', 'n = 11\n', 'n'),
    ('a number that becomes a float', 'n = 10\n', 'n = 10.0\n', 'n'),
    ('a number that becomes True', 'n = 10\n', 'n = True\n', 'n'),
    ('a number that becomes text', 'n = 10\n', "n = '10'\n", 'n'),
    ('a number too big for a word', '1 << 70', '1 << 71', 'big'),
    ('the last bit of a float', 'x = 0.5', 'x = 0.5000000000000001', 'x'),
    ('a float that becomes negative', 'x = 0.5', 'x = -0.5', 'x'),
    ('a space in a text', "text = 'text'", "text = 'text '", 'text'),
    ('bytes', "b'raw'", "b'row'", 'raw'),
    ('a bytearray', "b'grown'", "b'grow'", 'raw:grown'),
    ('a value deep in a dict', "{'c': [1, 2]}", "{'c': [1, 3]}", 'table'),
    ('a key deep in a dict', "{'c': [1, 2]}", "{'d': [1, 2]}", 'table'),
    ('the order of a list', '[3, 1, 2]', '[3, 2, 1]', 'order'),
    ('a list that becomes a tuple', '[3, 1, 2]', '(3, 1, 2)', 'order'),
    ('an element of a set', "{'x', 'y', 'z'}", "{'x', 'y', 'w'}", 'names'),
    ('an element of a frozenset', 'frozenset({1, 2})', 'frozenset({1, 3})', 'names:frozen'),
    ('an element of a tuple', "(1, 'a')", "(1, 'b')", 'pair'),
    ('the end of a range', 'range(0, 10)', 'range(0, 11)', 'span'),
    ('the start of a slice', 'slice(1, 5)', 'slice(2, 5)', 'span:cut'),
    ('a path', "'a.csv'", "'b.csv'", 'path'),
    ('a pattern', "'a+b'", "'a*b'", 'pattern'),
    ("a pattern's flags", 're.I', 're.M', 'pattern'),
    ('a date', '2024, 1, 31', '2024, 1, 30', 'times:day'),
    ('a duration', 'hours=3', 'hours=4', 'times:wait'),
    ('the zeros of a decimal', "'1.10'", "'1.1'", 'numbers:price'),
    ('a fraction', '1, 3)', '1, 4)', 'numbers:ratio'),
    ('a counter', "'aab'", "'abb'", 'collections:counter'),
    ('the factory of a defaultdict', 'defaultdict(list', 'defaultdict(set', 'collections:filled'),
    ("a deque's limit", 'maxlen=5', 'maxlen=6', 'collections:queue'),
    ('the order of an OrderedDict', 'a=1, b=2', 'b=2, a=1', 'collections:ordered'),
    ('a layer of a ChainMap', "{'b': 2})", "{'b': 3})", 'collections:chained'),
    ('an attribute of a namespace in a namespace', 'level=1', 'level=2', 'space'),
    ('an array of the standard library', "'d', [1, 2]", "'f', [1, 2]", 'packed'),
    ('a UUID', 'int=5', 'int=6', 'packed:ident'),
    ('an element of an array', 'vector = np.arange(6', 'vector = np.arange(1, 7', 'vector'),
    ("an array's dtype", "'int64'", "'int32'", 'vector'),
    ("an array's byte order", "'int64'", "'>i8'", 'vector'),
    ("an array's shape", 'reshape(2, 3)', 'reshape(3, 2)', 'matrix'),
    ('an array transposed', 'reshape(2, 3)', 'reshape(3, 2).T', 'matrix'),
    ('a numpy scalar', 'float32(1.5)', 'float32(1.25)', 'scalar'),
    ("a numpy scalar's type", 'float32(1.5)', 'float64(1.5)', 'scalar'),
    ('a dtype', "dtype('int32')", "dtype('int16')", 'scalar:kind'),
    ("a structured array's field", "('b', 'f8')", "('c', 'f8')", 'structured'),
    ('an object in an array', "[{'a': 1}]", "[{'a': 2}]", 'structured:boxed'),
    ('the mask of a masked array', 'mask=[0, 1]', 'mask=[1, 0]', 'structured:masked'),
    ('a lambda in a table', 'v * 2', 'v * 4', 'handlers'),
    ('another lambda of the table', 'v * 3', 'v * 4', 'handlers'),
    ('two lambdas of a table swapped', "{'double': lambda v: v * 2, 'triple': lambda v: v * 3}",
     "{'triple': lambda v: v * 2, 'double': lambda v: v * 3}", 'handlers'),
    ('None that becomes False', 'flag = None', 'flag = False', 'flag'),
    ('infinity that becomes not a number', "'inf'", "'nan'", 'flag:nan'),
    ('a list that holds itself', 'cyclic = [1]', 'cyclic = [2]', 'cyclic'),
    ('another builtin', 'chosen = max', 'chosen = min', 'chosen'),
    ('a dict that is changed after it was made', "limits['high'] = 2", "limits['high'] = 3", 'limits'),
    ('a key in a view of keys', "{'p': 1", "{'o': 1", 'views'),
    ('a value in a view of items', "{'r': 3}", "{'r': 4}", 'views'),
    ('a value in a view of values', "{'s': 4}", "{'s': 5}", 'views'),
    ('a global that was deleted', "limits['high'] = 2", "del limits['low']", 'limits'),
]  # fmt: skip


def value_row(title: str, old: str, new: str, which: str) -> Row:
    job, _, name = which.partition(':')
    return Row(title, old, new, runs=f'f_{job}', names=f'{name or job}')


@table((VALUES, [value_row(*edit) for edit in EDITS]))
def test_the_job_that_uses_the_value_runs_again_and_names_it(row: Row, projects: Projects) -> None:
    must_rerun(projects.after(row), row)
