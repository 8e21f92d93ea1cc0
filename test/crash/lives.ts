// Several lives of one process: a child that works until all is done is killed at a random moment, and begun again on the same data.
//
// In      a child that writes a line `step` for each step of its work, and `drained` at the end
// Out     when the last life has ended by itself; the moments are printed

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

/** So long after the line of this number. */
interface Moment {
  readonly step: number;
  readonly delayMs: number;
}

export interface Lives {
  /** Beside this file; its first argument is the directory. */
  readonly child: string;
  readonly at: string;
  readonly args: readonly (string | number)[];
  readonly kills: number;
  /** Between two kills, at most. */
  readonly steps: number;
  readonly delayMs?: number;
}

/** Removed after the test. */
export function placeOf(context: TestContext, name: string): string {
  const at = mkdtempSync(join(tmpdir(), `waypost-${name}-`));
  context.after(() => rmSync(at, { recursive: true, force: true }));
  return at;
}

export async function liveOn(context: TestContext, lives: Lives): Promise<void> {
  const { kills, steps, delayMs = 8 } = lives;
  const moments = Array.from({ length: kills }, () => ({
    step: 1 + Math.floor(Math.random() * steps),
    delayMs: Math.floor(Math.random() * delayMs),
  }));
  context.diagnostic(`${lives.args.join(' ')}: ${JSON.stringify(moments)}`);
  for (const moment of moments) if (await live(lives, moment)) break;
  assert.ok(await live(lives), 'the last life ends by itself');
}

/** Without a moment it ends by itself. */
async function live({ child: file, at, args }: Lives, kill?: Moment): Promise<boolean> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file), at, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let steps = 0;
  let isDrained = false;
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'drained') isDrained = true;
    if (line === 'step' && ++steps === kill?.step) setTimeout(() => child.kill('SIGKILL'), kill.delayMs);
  }
  await ended;
  return isDrained;
}
