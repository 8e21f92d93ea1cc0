// A large directory comes here: Debian's slapd with so many people as a source, mirrored by content synchronization, while RCPT
// asks about people who are there and people who are not. Then its container is renamed. Prints one JSON line, last.
//
//   --people N     entries of the source (20,000)
//
// Out     entries a second from the source's entry here to `current`; processor time (ours, all threads) an entry and peak memory;
//         how RCPT was answered meanwhile, and how long another write waited at most while the container moved

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Attribute, Change } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import type { MirrorStatus } from '../src/provisioning/mirror/source-mirror.ts';
import { CORP, CORP_PASSWORD, CORP_READER, CorpSlapd, corpPerson } from '../test/support/corp-slapd.ts';
import { addDomain, addUser, administrator, userDn } from '../test/support/directory.ts';
import { startWaypost } from '../test/support/server.ts';
import { until } from '../test/support/until.ts';
import { median } from './figures.ts';

/** Linux counts a process's time in hundredths of a second. */
const TICK_MS = 10;
const WAIT_MS = 1_800_000;

const { values: options } = parseArgs({ options: { people: { type: 'string', default: '20000' } } });
const people = Number(options.people);

const hash = 'userPassword: {SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0';
const ldif = Array.from({ length: people }, (_, i) => corpPerson(`u${i}`, hash)).join('');
const [server, corp] = await Promise.all([startWaypost(), CorpSlapd.start({ syncprov: true, ldif })]);
const ldap = await administrator(server, 120_000);
const admin = new AdminClient(server.data);

async function status(): Promise<MirrorStatus> {
  const { sources } = await admin.call('sync.status', {});
  return sources[0] as MirrorStatus;
}

function processorMs(): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function peakMiB(): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))?.[1]) / 1024;
}

/** How often each code was the answer, for people who are there and for people who are not. */
const answers = { there: {} as Record<string, number>, nobody: {} as Record<string, number> };
let isOver = false;

async function ask(): Promise<void> {
  for (let n = 0; !isOver; n++) {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    await smtp.command('MAIL FROM:<carol@remote.example>');
    const who = n % 4 === 3 ? 'nobody' : 'there';
    const name = who === 'nobody' ? `none${n}` : `u${Math.floor(Math.random() * people)}`;
    const { code } = await smtp.command(`RCPT TO:<${name}@corp.example>`);
    answers[who][code] = (answers[who][code] ?? 0) + 1;
    await smtp.quit();
    await new Promise((turn) => setTimeout(turn, 20));
  }
}

await addDomain(ldap, 'acme.example');
await addUser(ldap, 'ann@acme.example');
const [memoryBefore, processorBefore, began] = [peakMiB(), processorMs(), performance.now()];
await ldap.add('cn=corp,ou=Sources,ou=Waypost,o=internet', {
  objectClass: 'waypostLdapSource',
  ...{ waypostUrl: corp.url, waypostLogin: CORP_READER, waypostSecret: CORP_PASSWORD },
  ...{ waypostBase: CORP, waypostSourceDomain: 'corp.example' },
});
const asking = ask();
await until('all are here', async () => (await status()).state === 'current', WAIT_MS);
const mirroredMs = performance.now() - began;
const processor = processorMs() - processorBefore;
const { entries } = await status();

// A write of ours each time that the one before has been answered.
const waited: number[] = [];
let isMoved = false;
const writing = (async () => {
  for (let n = 0; !isMoved; n++) {
    const from = performance.now();
    const modification = new Attribute({ type: 'description', values: [`${n}`] });
    await ldap.modify(userDn('ann@acme.example'), new Change({ operation: 'replace', modification }));
    waited.push(performance.now() - from);
  }
})();
const [renamedAt, processorAtMove] = [performance.now(), processorMs()];
await corp.changeBeside(`dn: ou=people,${CORP}\nchangetype: modrdn\nnewrdn: ou=staff\ndeleteoldrdn: 1\n`);
const other = await administrator(server, 120_000);
const isThere = (dn: string): Promise<boolean> =>
  other.search(dn, { scope: 'base' }).then(
    () => true,
    () => false,
  );
await until('the container has moved', () => isThere(`ou=staff,${CORP}`), WAIT_MS);
const moveMs = performance.now() - renamedAt;
const moveProcessor = processorMs() - processorAtMove;
isMoved = true;
isOver = true;
await Promise.all([writing, asking]);
const isWhole = (await isThere(`uid=u7,ou=staff,${CORP}`)) && !(await isThere(`uid=u7,ou=people,${CORP}`));
await Promise.all([ldap.unbind(), other.unbind()]);
const peak = peakMiB();
await Promise.all([server.stop(), corp.stop()]);

const figures = {
  entries,
  entries_per_s: Math.round((entries / mirroredMs) * 1000),
  processor_ms_per_entry: Number((processor / entries).toFixed(3)),
  peak_mib: Math.round(peak),
  peak_mib_before: Math.round(memoryBefore),
  rcpt: answers,
  move_s: Number((moveMs / 1000).toFixed(1)),
  move_processor_ms_per_entry: Number((moveProcessor / entries).toFixed(3)),
  moved_whole: isWhole,
  writes_meanwhile: waited.length,
  write_median_ms: Math.round(median(waited)),
  longest_write_ms: Math.round(Math.max(...waited)),
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
