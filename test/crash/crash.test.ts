// The crash test within the suite: some kills, some power cuts, and the two switches that must make it fail.
//
// Times are printed and not judged here, where other tests run beside it: `npm run crash` judges them.
// A harness that cannot fail proves nothing: that is what the switches are for.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { kills } from '../support/kills.ts';
import { peer } from '../support/peers.ts';
import { type CrashOptions, LOAD_MIN, runCrashTest, type Verdict } from './harness.ts';
import { preparePowerLoss } from './power-loss/image.ts';

const folder = mkdtempSync(join(tmpdir(), 'waypost-crash-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const compiler = peer('gcc');

function crash(name: string, options: Pick<CrashOptions, 'cycles' | 'switches'>, power = false): Promise<Verdict> {
  const place = mkdtempSync(join(folder, `${name}-`));
  const data = join(place, 'data');
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);
  return runCrashTest({
    ...options,
    data,
    seed,
    ...(power ? { power: preparePowerLoss(compiler.path, place, data) } : {}),
  });
}

describe('what was acknowledged survives', () => {
  // Restarts take several times as long where the machine has other work.
  test('kills: nothing lost, nothing twice, each recipient in one place, no repair by hand', {
    timeout: 480_000,
  }, async (t) => {
    const cycles = kills(5);
    const verdict = await crash('kill', { cycles });
    t.diagnostic(JSON.stringify(verdict));
    assert.ok(verdict.kept, verdict.sentences.join('\n'));
    assert.ok(verdict.acknowledged.messages >= cycles * LOAD_MIN, 'there was a load');
    for (const [end, count] of Object.entries(verdict.ends)) assert.ok(count > 0, `something has ended in: ${end}`);
  });

  test('power cuts: what was not synced is gone, and it was nothing acknowledged', {
    skip: compiler.skip,
  }, async (t) => {
    const cycles = 2;
    const verdict = await crash('power', { cycles }, true);
    t.diagnostic(JSON.stringify(verdict));
    assert.ok(verdict.kept, verdict.sentences.join('\n'));
    assert.ok(verdict.acknowledged.messages >= cycles * LOAD_MIN, 'there was a load');
  });
});

describe('the test can fail', () => {
  test('a server that acknowledges before it commits is found out', async (t) => {
    const verdict = await crash('early', { cycles: 20, switches: { acknowledgeEarly: true } });
    t.diagnostic(verdict.sentences[0] ?? 'nothing found');
    // Which acknowledged thing is missed first, a message, a flag or an entry, is chance.
    assert.ok(!verdict.kept, 'something acknowledged was lost, and the harness did not see it');
  });

  test('a database that does not sync is found out by the power cut', { skip: compiler.skip }, async (t) => {
    const verdict = await crash('unsynced', { cycles: 5, switches: { synchronous: 'OFF' } }, true).catch(
      // What is left may not even be a database that opens: found out as well.
      (error: Error) => error,
    );
    if (verdict instanceof Error) return t.diagnostic(verdict.message);
    t.diagnostic(verdict.sentences[0] ?? 'nothing found');
    assert.ok(!verdict.kept, 'something acknowledged was lost, and the harness did not see it');
  });
});
