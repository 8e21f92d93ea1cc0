// Domains over which another has the say: what is asked, when, and what is said where nobody answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { normalizeDn } from '../directory/dn.ts';
import type { AuthorityOver, AuthorityQuestion, DirectoryAuthority } from '../directory/source/authority.ts';
import { tryParseAddress } from '../message/address.ts';
import {
  addDomain,
  addGroup,
  addUser,
  domainDn,
  openTestDirectory,
  replace,
  type TestDirectory,
  testSite,
  userDn,
} from '../provisioning/testing.ts';
import { RoutingCache } from './cache.ts';
import type { Resolution } from './resolve.ts';
import { INTERNAL_REQUEST } from './route-request.ts';

interface World {
  readonly directory: TestDirectory;
  readonly asked: string[];
  /** What becomes of a question. */
  answers: (asked: string) => Promise<void>;
  readonly fresh: Set<string>;
  route(address: string): Promise<string>;
  resolve(address: string, verify?: boolean): Promise<Resolution>;
  askMembers: RoutingCache['askMembers'];
}

async function worldOf(asking: AuthorityOver): Promise<World> {
  const directory = await openTestDirectory();
  await directory.apply(
    addDomain('corp.example', { mailDomainCatchallAddress: 'rest@own.example' }),
    addDomain('src.example'),
    addDomain('own.example'),
    ...['ann@src.example', 'off@src.example', 'rest@own.example', 'sub@src.example'].map((each) => addUser(each)),
    replace(userDn('off@src.example'), { inetUserStatus: 'deleted' }),
  );
  const over = (domain: string): AuthorityOver | undefined =>
    /^(corp|src)\.example$/.test(domain) ? asking : undefined;
  const nameOf = (question: AuthorityQuestion): string =>
    'dn' in question
      ? question.dn
      : 'uid' in question
        ? question.uid
        : 'groupsOf' in question
          ? `groups of ${question.groupsOf.join(' ')}`
          : question.address;
  const world = {
    directory,
    asked: [] as string[],
    answers: async (_: string) => {},
    fresh: new Set<string>(),
  };
  const authority: DirectoryAuthority = {
    isIdle: false,
    over,
    overEntry: (dn) => (dn.endsWith(domainDn('src.example')) ? asking : undefined),
    isFresh: (question) => world.fresh.has(nameOf(question)),
    binds: async () => false,
    renew: async () => {},
    forward: async () => false,
    ask(question) {
      world.asked.push(nameOf(question));
      return world.answers(nameOf(question));
    },
  };
  const { reader, shared } = directory;
  const cache = new RoutingCache({ reader, revision: () => shared.routingRevision(), site: testSite, authority });
  return Object.assign(world, {
    askMembers: (members: Parameters<RoutingCache['askMembers']>[0]) => cache.askMembers(members),
    async resolve(text: string, verify = false) {
      return cache.resolve(tryParseAddress(text)!, INTERNAL_REQUEST, { verify });
    },
    async route(text: string) {
      world.asked.length = 0;
      const { reply } = await cache.resolve(tryParseAddress(text)!, INTERNAL_REQUEST, { verify: true });
      return [`${reply.code} ${reply.enhanced}`, ...world.asked].join(' ');
    },
  });
}

const silent = async (): Promise<void> => {
  throw new Failure('unavailable', 'nobody answers');
};

test('a refusal rests on an answer: what is not known is asked for, and looked up once more', async () => {
  const world = await worldOf('refusals');
  const { directory } = world;
  assert.equal(await world.route('ann@src.example'), '250 2.1.5');
  assert.equal(await world.route('none@own.example'), '550 5.1.1');
  assert.equal(await world.route('none@src.example'), '550 5.1.1 none@src.example');
  // Nothing that is not there is remembered.
  world.answers = async () => void (await directory.apply(addUser('none@src.example')));
  assert.equal(await world.route('none@src.example'), '250 2.1.5 none@src.example');
  assert.equal(await world.route('none@src.example'), '250 2.1.5');
  world.answers = async () => {};
  assert.equal(await world.route('off@src.example'), '550 5.1.1 off@src.example');
  world.answers = async () => void (await directory.apply(replace(userDn('off@src.example'), { inetUserStatus: [] })));
  assert.equal(await world.route('off@src.example'), '250 2.1.5 off@src.example');
  world.answers = silent;
  assert.equal(await world.route('ann@src.example'), '250 2.1.5');
  assert.equal(await world.route('gone@src.example'), '451 4.3.0 gone@src.example');
  assert.equal(await world.route('sub+x@src.example'), '250 2.1.5');
  assert.equal(await world.route('gone+x@src.example'), '451 4.3.0 gone+x@src.example gone@src.example');
  assert.equal(await world.route('postmaster@src.example'), '250 2.1.5');
  directory.close();
});

test('a catch-all takes nobody who may be there; its words are said where the authority has its own', async () => {
  const world = await worldOf('refusals');
  assert.equal(await world.route('someone@corp.example'), '250 2.1.5 someone@corp.example');
  world.answers = silent;
  assert.equal(await world.route('someone@corp.example'), '451 4.3.0 someone@corp.example');
  world.answers = async () => {
    const text = 'Two entries have this address';
    throw new Failure('unavailable', text, { reply: { code: 451, enhanced: '4.3.5', text } });
  };
  assert.equal(await world.route('someone@corp.example'), '451 4.3.5 someone@corp.example');
  world.directory.close();
});

test('of a list, members whom nobody can be asked about wait; a member by its DN holds the list', async () => {
  const world = await worldOf('refusals');
  const { directory } = world;
  await directory.apply(
    addGroup('all@own.example', [], { mgrpRFC822MailMember: ['ann@src.example', 'late@src.example'] }),
    addGroup('dn@own.example', [userDn('rest@own.example'), userDn('dora@src.example')]),
    addUser('fwd@own.example', { mailRoutingAddress: 'late@src.example' }),
  );
  const failuresOf = async (address: string): Promise<string> => {
    const { reply, targets, failures } = await world.resolve(address);
    return [
      reply.code,
      targets.length,
      ...failures.map((each) => `${each.recipient.localPart} ${each.reply.code}`),
    ].join(' ');
  };
  assert.equal(await failuresOf('all@own.example'), '250 1 late 550');
  assert.equal(await failuresOf('dn@own.example'), '250 1');
  assert.equal(await world.route('fwd@own.example'), '550 5.1.1 late@src.example');
  world.answers = silent;
  assert.equal(await failuresOf('all@own.example'), '250 1 late 451');
  assert.equal(await failuresOf('dn@own.example'), '451 0');
  assert.equal(await world.route('fwd@own.example'), '451 4.3.0 late@src.example');
  world.answers = async (name) =>
    void (await directory.apply(addUser(`${name.includes('dora') ? 'dora' : 'late'}@src.example`)));
  assert.equal(await failuresOf('all@own.example'), '250 2');
  assert.equal(await failuresOf('dn@own.example'), '250 2');
  directory.close();
});

test('members of a long list are asked for before a slice of it goes on; one by its DN holds it where nobody answers', async () => {
  const world = await worldOf('refusals');
  const dn = (address: string) => ({ dn: normalizeDn(userDn(address)) });
  const members = [
    dn('ann@src.example'),
    dn('dora@src.example'),
    { address: 'late@src.example' },
    { address: 'x@own.example' },
  ];
  await world.askMembers(members);
  assert.deepEqual(world.asked, [normalizeDn(userDn('dora@src.example')), 'late@src.example']);
  world.answers = silent;
  await world.askMembers([{ address: 'late@src.example' }, dn('ann@src.example')]);
  await assert.rejects(world.askMembers(members), /nobody answers/);
  world.directory.close();
});

test('where only what was asked for is here, who is known is asked for too unless lately, and is known in silence', async () => {
  const world = await worldOf('everything');
  assert.equal(await world.route('ann@src.example'), '250 2.1.5 ann@src.example');
  world.fresh.add('ann@src.example');
  assert.equal(await world.route('ann@src.example'), '250 2.1.5');
  world.fresh.clear();
  world.answers = silent;
  assert.equal(await world.route('ann@src.example'), '250 2.1.5 ann@src.example');
  assert.equal(await world.route('new@src.example'), '451 4.3.0 new@src.example');
  assert.equal(await world.route('off@src.example'), '451 4.3.0 off@src.example');
  world.directory.close();
});
