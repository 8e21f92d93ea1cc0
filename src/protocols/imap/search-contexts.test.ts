// A client that only applies what it is told has the results that a new search gives, whatever two sessions do.
//
// RFC 5267 §4.3

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { openTestImap, type TestImap } from './testing.ts';

const SEARCHES = [
  'UID SEARCH RETURN (OPTIONS) FLAGGED',
  'SEARCH RETURN (OPTIONS) UNDELETED',
  'UID SORT RETURN (OPTIONS) (SUBJECT REVERSE SIZE) UTF-8 UNSEEN',
  'SORT RETURN (OPTIONS) (REVERSE SUBJECT) UTF-8 ALL',
  'UID SEARCH RETURN (OPTIONS) SUBJECT b NOT ANSWERED',
];

class Client {
  readonly #connection: LineConnection;
  #tag = 0;
  /** What the client has of each search, by its tag. */
  readonly lists = new Map<string, number[]>();

  private constructor(connection: LineConnection) {
    this.#connection = connection;
  }

  static async open({ host, port }: TestImap, login: string): Promise<Client> {
    const client = new Client(await LineConnection.open(host, port));
    await client.#connection.line();
    await client.command(`LOGIN ${login} secret`);
    await client.command('SELECT INBOX');
    return client;
  }

  /** Gives the numbers behind ALL. */
  async command(text: string, tag = `t${++this.#tag}`): Promise<number[]> {
    this.#connection.write(`${tag} ${text}\r\n`);
    let all: number[] = [];
    for (;;) {
      const line = await this.#connection.line();
      if (line.startsWith(`${tag} `)) {
        assert.match(line, / OK /, text);
        return all;
      }
      const found = / ALL (\S+)/.exec(line)?.[1];
      if (line.startsWith(`* ESEARCH (TAG "${tag}")`)) all = found === undefined ? [] : numbers(found);
      else this.#believe(line);
    }
  }

  async keep(search: string, tag: string): Promise<void> {
    this.lists.set(tag, await this.command(search.replace('OPTIONS', 'UPDATE ALL'), tag));
  }

  #believe(line: string): void {
    const gone = Number(/^\* (\d+) EXPUNGE/.exec(line)?.[1] ?? 0);
    for (const [i, search] of SEARCHES.entries()) {
      const list = this.lists.get(`k${i}`);
      if (gone === 0 || list === undefined || search.startsWith('UID')) continue;
      assert.ok(!list.includes(gone), 'REMOVEFROM comes before EXPUNGE');
      this.lists.set(
        `k${i}`,
        list.map((number) => (number > gone ? number - 1 : number)),
      );
    }
    const [, tag, rest = ''] = /^\* ESEARCH \(TAG "(\w+)"\)(.*)/.exec(line) ?? [];
    if (tag === undefined) return;
    const list = this.lists.get(tag)!;
    for (const [, name, pairs] of rest.matchAll(/ (ADDTO|REMOVEFROM) \(([^)]*)\)/g)) {
      const words = pairs!.split(' ');
      for (let i = 0; i < words.length; i += 2) apply(list, name!, Number(words[i]), numbers(words[i + 1]!));
    }
  }

  close(): void {
    this.#connection.destroy();
  }
}

function numbers(set: string): number[] {
  return set.split(',').flatMap((range) => {
    const [first, last = first] = range.split(':').map(Number) as [number, number?];
    return Array.from({ length: last! - first + 1 }, (_, i) => first + i);
  });
}

function apply(list: number[], name: string, position: number, these: readonly number[]): void {
  if (name === 'ADDTO' && position > 0) list.splice(position - 1, 0, ...these);
  else if (name === 'ADDTO') {
    list.push(...these);
    list.sort((a, b) => a - b);
  } else if (position > 0) assert.deepEqual(list.splice(position - 1, these.length), these);
  else for (const one of these) assert.equal(list.splice(list.indexOf(one), 1)[0], one);
}

const step = fc.record({
  client: fc.nat(1),
  command: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'Re: B', 'c').map((subject) => `APPEND ${subject}`) },
    {
      weight: 5,
      arbitrary: fc
        .tuple(
          fc.nat(30),
          fc.constantFrom('+', '-', ''),
          fc.constantFrom('\\Seen', '\\Flagged', '\\Deleted', '\\Answered'),
        )
        .map(([at, sign, flag]) => `UID STORE ${at + 1}:${at + 3} ${sign}FLAGS.SILENT (${flag})`),
    },
    { weight: 1, arbitrary: fc.nat(30).map((at) => `UID MOVE ${at + 1} INBOX`) },
    { weight: 3, arbitrary: fc.constantFrom('NOOP', 'EXPUNGE', 'SEARCH ALL', 'NOOP') },
  ),
});

let imap: TestImap;
before(async () => {
  imap = await openTestImap();
});
after(() => imap?.close());

test('lists that are kept by what is told are what a new search finds', { timeout: 240_000 }, async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const login = `user${++runs}`;
      await imap.addAccount(login, 'secret');
      const clients = [await Client.open(imap, login), await Client.open(imap, login)] as const;
      try {
        const [client] = clients;
        for (const [i, search] of SEARCHES.entries()) await client.keep(search, `k${i}`);
        for (const { client: which, command } of steps) {
          const text = `Subject: ${command.slice(7)}\r\n\r\n`;
          await clients[which]!.command(
            command.startsWith('APPEND') ? `APPEND INBOX {${text.length}+}\r\n${text}` : command,
          );
        }
        await client.command('NOOP');
        for (const [i, search] of SEARCHES.entries())
          assert.deepEqual(client.lists.get(`k${i}`), await client.command(search.replace('OPTIONS', 'ALL')), search);
      } finally {
        for (const client of clients) client.close();
      }
    }),
    { numRuns: 50 },
  );
});
