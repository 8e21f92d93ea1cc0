// Changes of the directory over LDAP at both servers, and over HTTP: who was added is routable at both and may log in, who was
// removed is not there any more.

import { Attribute, Change, ResultCodeError } from 'ldapts';
import { ImapClient } from '../../../src/demo/clients/imap-client.ts';
import { addUser, PASSWORD, userDn } from '../../support/directory.ts';
import type { Waypost } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { type Load, served } from '../pace.ts';
import { HttpRefusal } from '../refusals.ts';
import { DOMAIN, type World } from '../world.ts';
import { post, rcpt } from './sessions.ts';

const EXISTS = 68;
const ABSENT = 32;

/** A thread that is ended may have done it, and not said so. */
async function once(work: Promise<unknown>, isDone: (error: unknown) => boolean): Promise<void> {
  await work.catch((error: unknown) => {
    if (!isDone(error)) throw error;
  });
}

const isResult =
  (code: number) =>
  (error: unknown): boolean =>
    error instanceof ResultCodeError && error.code === code;
const isStatus =
  (status: number) =>
  (error: unknown): boolean =>
    error instanceof HttpRefusal && error.status === status;

async function isTakenAtBoth({ mx1, mx2 }: World, address: string): Promise<void> {
  for (const server of [mx1, mx2]) {
    const code = await served(`RCPT ${address}`, () => rcpt(server, address));
    if (code !== 250) throw new Error(`RCPT ${address} at ${server.hostname}: ${code} behind its add`);
  }
}

/** At mx1 at once, where it was removed there. mx2 answers after five seconds all the same, whether it has come back or not. */
async function isRefusedAtBoth({ mx1, mx2 }: World, address: string, at: Waypost): Promise<void> {
  const refused = async (server: Waypost): Promise<boolean> =>
    (await served(`RCPT ${address}`, () => rcpt(server, address))) === 550;
  if (at === mx1 && !(await refused(mx1))) throw new Error(`RCPT ${address} at mx1 is taken behind its removal`);
  for (const server of [mx1, mx2])
    await until(`the removal of ${address} at ${server.hostname}`, () => refused(server));
}

async function logsIn({ listeners }: Waypost, address: string): Promise<void> {
  await served(`the login of ${address}`, async () => {
    const imap = await ImapClient.login(listeners.imap, address, PASSWORD);
    await imap.logout();
  });
}

async function byLdap(world: World, at: Waypost): Promise<void> {
  const address = `d${world.next()}@${DOMAIN}`;
  const change = <T>(what: string, work: Parameters<typeof world.withAdministrator<T>>[1]): Promise<T> =>
    served(`${what} ${address}`, () => world.withAdministrator(at, work));
  await change('the add of', (client) => once(addUser(client, address), isResult(EXISTS)));
  await isTakenAtBoth(world, address);
  await logsIn(world.mx1, address);
  const modification = new Attribute({ type: 'displayName', values: [address] });
  const named = new Change({ operation: 'replace', modification });
  await change('the change of', (client) => client.modify(userDn(address), named));
  await change('the removal of', (client) => once(client.del(userDn(address)), isResult(ABSENT)));
  await isRefusedAtBoth(world, address, at);
}

export const ldapChanges: Load = {
  name: 'change over LDAP',
  perSecond: 0.25,
  run: (world) => byLdap(world, world.mx1),
};

export const ldapChangesAtSecond: Load = {
  name: 'change over LDAP at the second server',
  perSecond: 0.15,
  run: (world) => byLdap(world, world.mx2),
};

export const httpChanges: Load = {
  name: 'change over HTTP',
  perSecond: 0.1,
  async run(world) {
    const address = `h${world.next()}@${DOMAIN}`;
    const ask = (name: string, input: object, isDone: (error: unknown) => boolean): Promise<void> => {
      const posted = { path: `/v1/${name}`, authorization: `Bearer ${world.token}`, body: JSON.stringify(input) };
      return served(`${name} ${address}`, () => once(post(world.mx1, posted), isDone));
    };
    await ask('user/add', { address, password: PASSWORD }, isStatus(409));
    await isTakenAtBoth(world, address);
    await logsIn(world.mx1, address);
    await ask('user/remove', { address }, isStatus(404));
    await isRefusedAtBoth(world, address, world.mx1);
  },
};
