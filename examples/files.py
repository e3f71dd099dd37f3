"""Declared files: what reads what is known, so a change travels as far as it changes anything, and no further.

Run it, then try these, each followed by another run:

    echo '# sensor cleaned' >> data/bergen.txt       one task runs; its output is the same, so nothing follows
    echo '2024-06-30 17.5' >> data/bergen.txt        the same task runs, and after it the report
    rm -r tidy                                       nothing runs: nobody needs these files now
    rm report.csv                                    the report is made again, and before it what it reads
"""

import os
import random

from awflow import after, inputs, job, outputs, schedule

stations = ['bergen', 'lisbon', 'zagreb']


def make_data():
    """Daily temperatures with remarks, as a logger might have written them."""
    os.makedirs('data', exist_ok=True)
    for station in stations:
        path = f'data/{station}.txt'
        if os.path.exists(path):
            continue
        generator = random.Random(station)
        with open(path, 'w') as file:
            print(f'# station {station}', file=file)
            for day in range(1, 30):
                print(f'2024-06-{day:02} {generator.gauss(18, 4):.1f}', file=file)


@inputs('data/{i}.txt')
@outputs('tidy/{i}.csv')
@job(array=stations)
def tidy(station):
    """Drop the remarks and sort by date."""
    print(f'Reading data/{station}.txt.')
    with open(f'data/{station}.txt') as file:
        rows = sorted(line.split() for line in file if not line.startswith('#'))
    os.makedirs('tidy', exist_ok=True)
    with open(f'tidy/{station}.csv', 'w') as file:
        file.writelines(f'{date},{temperature}\n' for date, temperature in rows)


@after(tidy)
@inputs('tidy/*.csv')
@outputs('report.csv')
@job
def report():
    """The mean of every station."""
    with open('report.csv', 'w') as out:
        for station in stations:
            with open(f'tidy/{station}.csv') as file:
                temperatures = [float(line.split(',')[1]) for line in file]
            mean = sum(temperatures) / len(temperatures)
            print(f'{station}: {mean:.2f} degrees')
            print(f'{station},{mean:.2f}', file=out)


make_data()
schedule(report)
