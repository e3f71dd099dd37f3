"""Estimate pi from random points: ten tasks that may run side by side, and one that merges what they wrote."""

import argparse
import glob
import os

import numpy as np

from awflow import after, available_backends, ensure, job, schedule

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('--backend', choices=available_backends(), default='local', help='where the tasks run')
arguments = parser.parse_args()

n = 10000
tasks = 10


@ensure(lambda i: os.path.exists(f'pi-{i}.npy'))
@job(cpus='4', memory='4GB', array=tasks)
def estimate(i: int):
    print(f'Executing task {i + 1} / {tasks}.')
    x = np.random.random(n)
    y = np.random.random(n)
    pi_estimate = (x**2 + y**2 <= 1)
    np.save(f'pi-{i}.npy', pi_estimate)


@after(estimate)
@ensure(lambda: os.path.exists('pi.npy'))
@job(cpus='4')
def merge():
    files = glob.glob('pi-*.npy')
    stack = np.vstack([np.load(f) for f in files])
    pi_estimate = stack.sum() / (n * tasks) * 4
    print('π ≅', pi_estimate)
    np.save('pi.npy', pi_estimate)


merge.prune()  # Prune jobs whose postconditions have been satisfied

schedule(merge, backend=arguments.backend)  # Executes merge and its dependencies
