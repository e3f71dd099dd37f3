"""A parameter sweep: one task per value, their return values gathered into a table, the table drawn.

The logistic map x -> r x (1 - x) turns chaotic as r grows: its Lyapunov exponent becomes positive. Add values to
`rates` and run again: only the new ones are computed, then the table and the plot are made again.
"""

import csv
import math

from awflow import after, inputs, job, outputs, schedule

rates = [round(2.8 + 0.02 * step, 2) for step in range(61)]
steps = 2000


@outputs()  # It makes no files: its return value is all there is to compare
@job(array=rates, batch=20)  # Tasks are short, so a process runs 20 of them in turn
def exponent(r):
    x, total = 0.4, 0.0
    for _ in range(steps):
        x = r * x * (1 - x)
        total += math.log(max(abs(r * (1 - 2 * x)), 1e-12))
    return total / steps


@after(exponent)
@outputs('sweep.csv')
@job
def table():
    with open('sweep.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['r', 'exponent'])
        writer.writerows(zip(rates, exponent.results(), strict=True))
    print(f'Wrote sweep.csv: {len(rates)} rows.')


@after(table)
@inputs('sweep.csv')
@outputs('sweep.png')
@job
def plot():
    import matplotlib

    matplotlib.use('Agg')  # draws into files, needs no screen
    import matplotlib.pyplot as plt

    with open('sweep.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    figure, axes = plt.subplots()
    axes.axhline(0, color='grey', linewidth=0.5)
    axes.plot([float(row['r']) for row in rows], [float(row['exponent']) for row in rows], '.-')
    axes.set_xlabel('r')
    axes.set_ylabel('Lyapunov exponent')
    figure.savefig('sweep.png')
    print('Wrote sweep.png.')


schedule(plot)
