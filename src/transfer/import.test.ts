// Imported messages: in pages of any size they arrive byte for byte, once; what is bad is refused and leaves nothing behind.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { addDomain, addUser } from '../provisioning/testing.ts';
import { Imports } from './import.ts';
import { TestTransfer } from './testing.ts';

const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';
const HEAD = `MAIL FROM:<${ANN}>\r\nRCPT TO:<${BOB}>\r\n\x01\x01\r\n`;

async function open(context: TestContext) {
  const transfer = await TestTransfer.open();
  context.after(() => transfer.close());
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN), addUser(BOB));
  const { cache: routing, reader } = transfer.directory;
  const { intakes, nextId, submit } = transfer.doorParts;
  // As the door settles it, the import does.
  const imports = new Imports({ reader, routing, clock: systemClock, intakes, nextId, submit, bytesMax: 100_000 });
  const bring = async (pages: readonly Buffer[], isLf = false) => {
    let token: string | undefined;
    for (const [index, bytes] of pages.entries()) {
      const taken = await imports.take({ token, bytes, isLf, isLast: index === pages.length - 1 });
      if ('submitted' in taken) return taken.submitted;
      token = taken.token;
    }
    throw new Error('no page was the last');
  };
  return { transfer, imports, bring };
}

test('pages of any size: the bytes as they came, or with CRLF where there was none', async (context) => {
  const { transfer, bring } = await open(context);
  let count = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[a-z\n]{0,30}$/), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (pages, isLf) => {
        const text = `Subject: x\n\n${pages.join('')}`;
        const [first, ...rest] = pages;
        const whole = [`${HEAD}Subject: x\n\n${first}`, ...rest];
        const bytes = whole.map((page) => Buffer.from(isLf ? page : page.replaceAll(/(?<!\r)\n/g, '\r\n')));
        const { results } = await bring(bytes, isLf);
        assert.deepEqual(
          results.map(({ how }) => how),
          ['delivered'],
        );
        count++;
        const inbox = await transfer.inbox(BOB);
        assert.deepEqual([inbox.length, inbox.at(-1)], [count, text.replaceAll('\n', '\r\n')]);
      },
    ),
    { numRuns: 20 },
  );
});

test('who is refused gets the reply; who is elsewhere waits, whoever brings it', async (context) => {
  const { transfer, bring } = await open(context);
  const head =
    'MAIL FROM:<> ENVID=q1\nRCPT TO:<nobody@acme.example>\nRCPT TO:<rex@remote.example> NOTIFY=NEVER\nX-Arrived: 2026-11-01T08:00:00Z\n\x01\x01\n';
  const { results } = await bring([Buffer.from(`${head}Subject: x\n\n`)], true);
  assert.deepEqual(
    results.map(({ how, reply }) => [how, reply.enhanced]),
    [
      ['refused', '5.1.1'],
      ['queued', '2.1.5'],
    ],
  );
  assert.deepEqual(
    transfer.queue().map(({ recipient }) => recipient),
    ['rex@remote.example'],
  );
});

test('no text form, too large, given up: refused, and nothing is left behind', async (context) => {
  const { transfer, imports, bring } = await open(context);
  const fails = async (work: Promise<unknown>, kind: Failure['kind']): Promise<void> => {
    await assert.rejects(work, (error) => error instanceof Failure && error.kind === kind);
  };
  await fails(bring([Buffer.from('Subject: x\r\n\r\n')]), 'invalid');
  await fails(bring([Buffer.from(HEAD), Buffer.alloc(100_001)]), 'too-large');
  await fails(imports.take({ token: 'other', bytes: Buffer.from('x'), isLast: true, isLf: false }), 'not-found');
  const begun = { token: undefined, bytes: Buffer.from(HEAD), isLast: false, isLf: false };
  for (let i = 0; i < 8; i++) await imports.take(begun);
  await fails(imports.take(begun), 'too-many');
  assert.equal(transfer.doorParts.intakes.held.bytes, 0);
  assert.deepEqual(await transfer.inbox(BOB), []);
});
