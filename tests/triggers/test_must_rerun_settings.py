"""Edits of values that come from elsewhere: numpy, settings read from files when the script starts, loops, other modules."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Workspace
from tests.triggers.table import Projects, Row, must_rerun, project, table


def written(name: str, text: str) -> Callable[[Workspace], object]:
    return lambda workspace: workspace.write(name, text)


NUMPY = project('''
    import numpy as np
    empty = np.empty((0, 3))
    single = np.array(1)
    truth = np.array([True, False])
    words = np.array(['a', 'b'])
    days = np.array(['2024-01-01'], dtype='datetime64[D]')
    waves = np.array([1 + 2j])
    strided = np.arange(10)[::2]
    zeros = np.array([0.0, 1.0])
    missing = np.array([1.0, float('inf')])
    nested = {'a': [np.ones(3), {'b': np.zeros(2)}]}
    power = np.float64(2.5)
    count = np.int16(7)
    when = np.datetime64('2024-01-01')
    rng = np.random.default_rng(5)
    legacy = np.random.RandomState(5)
    reduction = np.sum
    ufunc = np.sin
    poly = np.poly1d([1, 2])
    def cube(x): return x ** 3
    vectorized = np.vectorize(cube)
    table = np.rec.fromarrays([[1, 2], [3.0, 4.0]], names='a,b')
    memory = np.arange(4, dtype='u1').data
    span = np.s_[1:3, ::2]

    @job
    def f_empty(): print(empty)
    @job
    def f_single(): print(single)
    @job
    def f_truth(): print(truth, words, days, waves)
    @job
    def f_strided(): print(strided)
    @job
    def f_zeros(): print(zeros, missing)
    @job
    def f_nested(): print(nested)
    @job
    def f_scalars(): print(power, count, when)
    @job
    def f_rng(): print(rng.bit_generator)
    @job
    def f_legacy(): print(legacy)
    @job
    def f_functions(): print(reduction([1]), ufunc(1))
    @job
    def f_poly(): print(poly(2))
    @job
    def f_vectorized(): print(vectorized([1]))
    @job
    def f_table(): print(table.a)
    @job
    def f_span(): print(span)
''')  # fmt: skip

READ = project('''
    import configparser, json, os
    from pathlib import Path
    import modes, settings
    from settings import LIMITS as limits
    CONFIG = json.loads(Path('config.json').read_text())
    parser = configparser.ConfigParser()
    parser.read('config.ini')
    lines = open('names.txt').read().splitlines()
    level = os.environ.get('LEVEL', 'low')
    base = Path('data')
    paths = [base / 'a.csv', base / 'b.csv']
    limits['extra'] = 1
    settings.rate = 0.5
    total = sum(range(5))
    handlers = []
    for factor in (1, 2):
        def handler(x, factor=factor): return x * factor
        handlers.append(handler)
    def by_name(x): return getattr(modes, 'mode')
    def reach(x): return settings.nested['a']['b']
    class Singleton:
        instance = None
        @classmethod
        def get(cls):
            return cls.instance
    Singleton.instance = Singleton()
    Singleton.instance.n = 6

    @job
    def reads_config(): print(CONFIG['depth'])
    @job
    def reads_ini(): print(parser['main']['speed'])
    @job
    def reads_lines(): print(lines)
    @job
    def reads_level(): print(level)
    @job
    def reads_paths(): print(paths)
    @job
    def reads_limits(): print(limits)
    @job
    def reads_rate(): print(settings.rate)
    @job
    def reads_total(): print(total)
    @job
    def reads_handlers(): print([h(1) for h in handlers])
    @job
    def reads_by_name(): print(by_name(1))
    @job
    def reaches(): print(reach(1))
    @job
    def singleton(): print(Singleton.get().n)
''', {
    'config.json': '{"depth": 1, "width": 2}',
    'config.ini': '[main]\nspeed = 1\n',
    'names.txt': 'a\nb\n',
    'modes.py': "mode = 'fast'\n",
    'settings.py': "LIMITS = {'low': 1}\nrate = 0.1\nnested = {'a': {'b': 1}}\n",
})  # fmt: skip


@table(
    (NUMPY, [
        Row('the shape of an empty array', '(0, 3)', '(3, 0)', runs='f_empty', names='global empty'),
        Row('the dimensions of an array of one', 'np.array(1)', 'np.array([1])', runs='f_single', names='global single'),
        Row('a truth in an array', '[True, False]', '[True, True]', runs='f_truth', names='global truth'),
        Row('truths that become numbers', '[True, False]', '[1, 0]', runs='f_truth', names='global truth'),
        Row('a word in an array', "['a', 'b']", "['a', 'c']", runs='f_truth', names='global words'),
        Row('a unit of time', '[D]', '[h]', runs='f_truth', names='global days'),
        Row('an imaginary part', '1 + 2j', '1 + 3j', runs='f_truth', names='global waves'),
        Row('a stride', '[::2]', '[::3]', runs='f_strided', names='global strided'),
        Row('a zero that becomes negative', '[0.0, 1.0]', '[-0.0, 1.0]', runs='f_zeros', names='global zeros'),
        Row('infinity that becomes not a number', "'inf'", "'nan'", runs='f_zeros', names='global missing'),
        Row('an array deep inside', 'np.zeros(2)', 'np.ones(2)', runs='f_nested', names='global nested'),
        Row('a numpy number', 'float64(2.5)', 'float64(2.25)', runs='f_scalars', names='global power'),
        Row('a numpy number that becomes one of Python', 'np.float64(2.5)', '2.5', runs='f_scalars', names='global power'),
        Row('the width of a numpy integer', 'int16(7)', 'int32(7)', runs='f_scalars', names='global count'),
        Row('a date of numpy', "datetime64('2024-01-01')", "datetime64('2024-01-02')", runs='f_scalars', names='global when'),
        Row('the seed of a generator', 'default_rng(5)', 'default_rng(6)', runs='f_rng', names='global rng'),
        Row('a generator that was used', 'default_rng(5)\n', 'default_rng(5); rng.random()\n', runs='f_rng', names='global rng'),
        Row('the seed of a RandomState', 'RandomState(5)', 'RandomState(6)', runs='f_legacy', names='global legacy'),
        Row('another function of numpy', 'np.sum', 'np.prod', runs='f_functions', names='reduction'),
        Row('another ufunc', 'np.sin', 'np.cos', runs='f_functions', names='ufunc'),
        Row('the coefficients of a polynomial', '[1, 2])\n    def'.replace('    ', ''), '[1, 3])\ndef', runs='f_poly', names='global poly'),
        Row('a helper inside np.vectorize', 'x ** 3', 'x ** 4', runs='f_vectorized', names='helper cube'),
        Row("a record array's field", "'a,b'", "'a,c'", runs='f_table', names='global table'),
        Row('a slice made by numpy', '1:3', '1:4', runs='f_span', names='global span'),
    ]),
    (READ, [
        Row('a file of settings', written('config.json', '{"depth": 2, "width": 2}'), runs='reads_config', names='global CONFIG'),
        Row('an ini file', written('config.ini', '[main]\nspeed = 2\n'), runs='reads_ini', names='global parser'),
        Row('a file of names', written('names.txt', 'a\nc\n'), runs='reads_lines', names='global lines'),
        Row('an environment variable that a global holds', runs='reads_level', names='global level', LEVEL='high'),
        Row('the folder of a list of paths', "Path('data')", "Path('other')", runs='reads_paths', names='global paths'),
        Row('an item that the script adds to a table of a module', "['extra'] = 1", "['extra'] = 2", runs='reads_limits', names='limits'),
        Row('an item of a table of a module', "'low': 1", "'low': 2", file='settings.py', runs='reads_limits', names='limits'),
        Row('an attribute that the script sets on a module', 'settings.rate = 0.5', 'settings.rate = 0.6', runs='reads_rate', names='settings.rate'),
        Row('a computed global', 'range(5)', 'range(6)', runs='reads_total', names='global total'),
        Row('one function of a loop', '(1, 2)', '(1, 3)', runs='reads_handlers', names='handlers'),
        Row('the body of functions of a loop', 'x * factor', 'x - factor', runs='reads_handlers', names='handler'),
        Row('one more function of a loop', '(1, 2)', '(1, 2, 3)', runs='reads_handlers', names='handlers'),
        Row('a setting that is read by name', "'fast'", "'slow'", file='modes.py', runs='reads_by_name', names='module modes'),
        Row('a setting deep in a module', "{'b': 1}", "{'b': 2}", file='settings.py', runs='reaches', names='settings.nested'),
        Row('the state of a singleton', 'instance.n = 6', 'instance.n = 7', runs='singleton', names='Singleton'),
    ]),
)  # fmt: skip
def test_exactly_the_jobs_that_use_the_value_run_again(row: Row, projects: Projects) -> None:
    must_rerun(projects.after(row), row)
