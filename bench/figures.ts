// What runs come to: medians, tables, and what the machine was.

import { cpus, tmpdir } from 'node:os';
import { columns } from '../src/cli/output.ts';
import { generate } from './generate.ts';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Columns under each other, the heading first. */
export function aligned([heading, ...rows]: readonly (readonly string[])[]): string {
  return columns(heading!, rows, '');
}

export function shown(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value >= 1 ? value.toFixed(1) : value.toPrecision(2);
}

/** Appends of 4 KiB, each synced, in a second. */
export function fsyncCost(): number {
  return Number(generate('fsync-cost', ['--dir', tmpdir(), '--seconds', 1])['appends_s']);
}

export function machine(rounds: number): string {
  const cores = cpus();
  return `${cores.length} cores, ${cores[0]?.model ?? 'unknown'}, Node ${process.versions.node}, ${rounds} round${rounds === 1 ? '' : 's'}`;
}
