// Random pipelined reads and writes on several connections give what some legal order of them gives.
//
// The judge knows nothing of the server: entries are a map, and it tries orders until one explains every answer. Legal are
// those in which each connection's writes keep their order, each read comes behind the writes that were sent before it on
// its connection, and nothing comes before what had been answered when it was sent. A write may overtake a read.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { HashGate } from '../../auth/hash-gate.ts';
import { systemClock } from '../../base/clock.ts';
import type { Operation } from '../../database/operation.ts';
import { findEntry } from '../../directory/entries.ts';
import { submitterInOrder } from '../../provisioning/submit.ts';
import { add, remove, type TestDirectory } from '../../provisioning/testing.ts';
import { encodeRequest, type LdapRequest } from '../../wire/ldap/message.ts';
import { openTestDoor, RawClient, searchFor, type TestDoor } from './testing.ts';

const BASE = 'ou=model,o=internet';
const NAMES = ['a', 'b', 'c'] as const;
const VALUES = ['x', 'y'] as const;

type Asked =
  | { readonly kind: 'add' | 'delete' | 'read'; readonly name: string }
  | { readonly kind: 'give' | 'take' | 'replace' | 'compare'; readonly name: string; readonly value: string }
  | { readonly kind: 'list' };

/** What was asked, what was answered: a result code, and what was found. */
interface Answered {
  readonly connection: number;
  readonly asked: Asked;
  readonly answer: string;
}

const dnOf = (name: string): string => `ou=${name},${BASE}`;

function requestOf(asked: Asked): LdapRequest {
  if (asked.kind === 'list') return searchFor(BASE, { scope: 'one', attributes: ['description'] });
  const dn = dnOf(asked.name);
  switch (asked.kind) {
    case 'add':
      return {
        kind: 'add',
        dn,
        attributes: [
          { name: 'objectClass', values: ['organizationalUnit'] },
          { name: 'ou', values: [asked.name] },
        ],
      };
    case 'delete':
      return { kind: 'delete', dn };
    case 'read':
      return searchFor(dn, { attributes: ['description'] });
    case 'compare':
      return { kind: 'compare', dn, attribute: 'description', value: asked.value };
    default: {
      const operation = ({ give: 'add', take: 'delete', replace: 'replace' } as const)[asked.kind];
      return { kind: 'modify', dn, modifications: [{ operation, attribute: 'description', values: [asked.value] }] };
    }
  }
}

/** Values of `description` by name, each sorted and joined. */
type State = Readonly<Record<string, string>>;

/** A naive directory. */
function carryOut(state: State, asked: Asked): { answer: string; state: State } {
  if (asked.kind === 'list') return { answer: `0 ${found(Object.entries(state))}`, state };
  const { kind, name } = asked;
  const stands = state[name];
  if (kind === 'add') return stands === undefined ? { answer: '0 ', state: { ...state, [name]: '' } } : same('68 ');
  if (stands === undefined) return same('32 ');
  switch (kind) {
    case 'delete': {
      const { [name]: _, ...rest } = state;
      return { answer: '0 ', state: rest };
    }
    case 'read':
      return same(`0 ${found([[name, stands]])}`);
    case 'compare':
      return same(stands === '' ? '16 ' : stands.includes(asked.value) ? '6 ' : '5 ');
    case 'give':
      return stands.includes(asked.value) ? same('20 ') : changed([...stands, asked.value]);
    case 'take':
      return stands.includes(asked.value) ? changed([...stands].filter((each) => each !== asked.value)) : same('16 ');
    case 'replace':
      return changed([asked.value]);
    default:
      return kind satisfies never;
  }

  function same(answer: string): { answer: string; state: State } {
    return { answer, state };
  }
  function changed(values: readonly string[]): { answer: string; state: State } {
    return { answer: '0 ', state: { ...state, [name]: [...values].sort().join('') } };
  }
}

function found(entries: readonly (readonly [string, string])[]): string {
  return entries
    .map(([name, values]) => `${name}:${values}`)
    .sort()
    .join(' ');
}

const isRead = ({ kind }: Asked): boolean => kind === 'read' || kind === 'compare' || kind === 'list';

/** The states in which a burst of operations may have left the directory; none when no legal order explains the answers. */
function explain(from: readonly State[], burst: readonly Answered[]): State[] {
  const ends = new Map<string, State>();
  const seen = new Set<string>();
  const all = 2 ** burst.length - 1;
  const go = (done: number, state: State): void => {
    const key = `${done} ${found(Object.entries(state))}`;
    if (seen.has(key)) return;
    seen.add(key);
    if (done === all) ends.set(key, state);
    burst.forEach(({ connection, asked, answer }, i) => {
      const isDone = (at: number): boolean => (done & (2 ** at)) !== 0;
      const waitsFor = burst.slice(0, i).some((earlier, at) => {
        return earlier.connection === connection && !isRead(earlier.asked) && !isDone(at);
      });
      if (isDone(i) || waitsFor) return;
      const next = carryOut(state, asked);
      if (next.answer === answer) go(done | (2 ** i), next.state);
    });
  };
  for (const state of from) go(0, state);
  return [...ends.values()];
}

/** Sends a burst, each connection's part of it in one packet, and gives the answers in the order of the requests. */
async function send(clients: readonly RawClient[], burst: readonly (readonly Asked[])[]): Promise<Answered[]> {
  burst.forEach((part, connection) => {
    const messages = part.map((asked, i) =>
      encodeRequest({ messageId: i + 1, operation: requestOf(asked), controls: [] }),
    );
    clients[connection]!.send(Buffer.concat(messages));
  });
  const answers = await Promise.all(burst.map((part, connection) => answersOf(clients[connection]!, part.length)));
  return burst.flatMap((part, connection) =>
    part.map((asked, i) => ({ connection, asked, answer: answers[connection]!.get(i + 1)! })),
  );
}

async function answersOf(client: RawClient, count: number): Promise<Map<number, string>> {
  const entries = new Map<number, [string, string][]>();
  const answers = new Map<number, string>();
  while (answers.size < count) {
    const { messageId, operation } = (await client.response())!;
    const own = entries.get(messageId) ?? [];
    entries.set(messageId, own);
    if (operation.kind === 'searchEntry') {
      const values = operation.attributes.flatMap((attribute) => attribute.values as string[]);
      own.push([operation.dn.slice('ou='.length, operation.dn.indexOf(',')), values.sort().join('')]);
    } else if ('result' in operation) answers.set(messageId, `${operation.result.resultCode} ${found(own)}`);
  }
  return answers;
}

/** How many turns each answer of the writer is late; the order of the commits stays. */
let late: number[] = [];

function lateWriter({ writer }: TestDirectory): TestDirectory['writer'] {
  return {
    async execute<A, R>(operation: Operation<A, R>, args: A): Promise<R> {
      const turns = late.pop() ?? 0;
      try {
        return await writer.execute(operation, args);
      } finally {
        for (let i = 0; i < turns; i++) await new Promise(setImmediate);
      }
    },
  };
}

let door: TestDoor;
before(async () => {
  door = await openTestDoor({
    door: {
      submitInOrder: () =>
        submitterInOrder({ writer: lateWriter(door.directory), clock: systemClock, gate: new HashGate() }),
    },
  });
});
after(() => door.close());

const name = fc.constantFrom(...NAMES);
const value = fc.constantFrom(...VALUES);
const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.record({ kind: fc.constantFrom('add', 'add', 'delete', 'read'), name }),
  fc.record({ kind: fc.constantFrom('give', 'take', 'replace', 'compare'), name, value }),
  fc.constant({ kind: 'list' as const }),
);
/** Of each of one to three connections, at most five. */
const burst = fc
  .integer({ min: 1, max: 3 })
  .chain((connections) =>
    fc.array(fc.array(asked, { maxLength: 5 }), { minLength: connections, maxLength: connections }),
  );

test('random pipelined reads and writes give what some legal order gives', async () => {
  const clients = await Promise.all([0, 1, 2].map(() => RawClient.open(door.port)));
  for (const client of clients) await client.bind();
  const turns = fc.array(fc.nat({ max: 3 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(fc.array(burst, { minLength: 1, maxLength: 4 }), turns, async (bursts, delays) => {
      await door.directory.apply(add(BASE, { objectClass: 'organizationalUnit', ou: 'model' }));
      late = [...delays];
      try {
        let states: State[] = [{}];
        for (const each of [...bursts, [[{ kind: 'list' }]] as const]) {
          const answers = await send(clients, each);
          states = explain(states, answers);
          assert.notEqual(states.length, 0, JSON.stringify(answers));
        }
      } finally {
        const left = NAMES.map(dnOf).filter((dn) => findEntry(door.directory.reader, dn) !== undefined);
        await door.directory.apply(...[...left, BASE].map(remove));
      }
    }),
    { numRuns: 150 },
  );
  for (const client of clients) client.socket.destroy();
});

test('the judge finds what no legal order gives', () => {
  const on = (connection: number, given: Asked, answer: string): Answered => ({ connection, asked: given, answer });
  const added = on(0, { kind: 'add', name: 'a' }, '0 ');
  const absent = on(0, { kind: 'read', name: 'a' }, '32 ');
  assert.equal(explain([{}], [added, absent]).length, 0, 'a read before the write that was sent before it');
  assert.equal(explain([{}], [added, { ...absent, connection: 1 }]).length, 1, 'another connection may be earlier');
  const gone = on(0, { kind: 'delete', name: 'a' }, '0 ');
  assert.equal(explain([{}], [added, absent, gone]).length, 1, 'a later write may overtake a read');
  assert.equal(explain([{}], [on(0, { kind: 'delete', name: 'a' }, '32 '), added, absent]).length, 0);
  assert.equal(explain([{}], [gone, added]).length, 0, 'writes that changed places');
});
