import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { HashGate } from '../auth/hash-gate.ts';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { textValue } from '../directory/entry.ts';
import { zoneNames } from '../zones/names.ts';
import { addDomain, addUser, openTestDirectory, replace, type TestDirectory } from './testing.ts';
import { applyZone, type ZoneChangeParts } from './zone-changes.ts';
import type { ZoneRoute } from './zone-mail.ts';

const ZONE = 'corp.example';

let directory: TestDirectory;
let parts: ZoneChangeParts;
beforeEach(async () => {
  directory = await openTestDirectory();
  const { reader, writer } = directory;
  parts = { reader, writer, clock: systemClock, gate: new HashGate() };
});
afterEach(() => directory.close());

type Domains = Readonly<Record<string, ZoneRoute>>;

function apply(domains: Domains, { dryRun = false, goesOn = () => {}, zone = ZONE } = {}) {
  return applyZone(parts, { zone, domains: Object.entries(domains), dryRun, goesOn });
}

/** `kept x.example: why`, a line each. */
async function applied(domains: Domains, options = {}): Promise<string[]> {
  const { domains: named } = await apply(domains, options);
  return named.map(({ domain, change, why }) => `${change} ${domain}${why === undefined ? '' : `: ${why}`}`).sort();
}

const found = (domain: string) => findEntry(directory.reader, dcDnOfDomain(domain));
const value = (domain: string, attribute: string) => {
  const entry = found(domain);
  return entry && textValue(entry, attribute);
};
const revision = () => directory.reader.revision();

test('made, changed, removed; a second run does nothing', async () => {
  const first: Domains = { [ZONE]: 'local', 'a.corp.example': 'mx', 'x.y.corp.example': 'local' };
  assert.deepEqual(await applied(first), ['made a.corp.example', 'made corp.example', 'made x.y.corp.example']);
  assert.equal(value('a.corp.example', 'waypostroute'), 'mx');
  assert.equal(value(ZONE, 'waypostroute'), undefined);
  assert.equal(value('x.y.corp.example', 'waypostsource'), 'dns:corp.example');
  assert.equal(value('y.corp.example', 'waypostsource'), undefined);
  assert.equal(directory.resolve(`postmaster@${ZONE}`).reply.code, 250);
  const before = revision();
  assert.deepEqual(await applied(first), []);
  assert.equal(revision(), before);
  assert.deepEqual(await applied({ [ZONE]: 'mx', 'a.corp.example': 'local' }), [
    'changed a.corp.example',
    'changed corp.example',
    'removed x.y.corp.example',
  ]);
  assert.deepEqual([value(ZONE, 'waypostroute'), value('a.corp.example', 'waypostroute')], ['mx', undefined]);
  assert.equal(found('x.y.corp.example'), undefined);
  assert.deepEqual(
    await applied({}),
    ['removed a.corp.example', 'kept corp.example: the zone has dropped it, and entries lie below'].sort(),
  );
  // The node above the one that was removed is nobody's domain, but it is there.
  assert.ok(found('y.corp.example'));
});

test('none of them is a zone of our name server, and one that is taken over becomes one', async () => {
  await apply({ [ZONE]: 'local' });
  const names = zoneNames(directory.reader);
  assert.deepEqual(names.find(ZONE)?.row, { domain: 'mail', isTheirs: true });
  await directory.apply(replace(dcDnOfDomain(ZONE), { waypostSource: [] }));
  assert.deepEqual(names.find(ZONE)?.row, { domain: 'mail' });
});

test('what others have made stays, and so does what has people', async () => {
  await directory.apply(addDomain('hand.corp.example'));
  await apply({ 'other.corp.example': 'local' }, { zone: 'other.corp.example' });
  await apply({ 'full.corp.example': 'local', 'empty.corp.example': 'local' });
  await directory.apply(addUser('ann@full.corp.example'));
  assert.deepEqual(await applied({ 'hand.corp.example': 'mx', 'other.corp.example': 'local' }), [
    'kept full.corp.example: the zone has dropped it, and entries lie below',
    'kept hand.corp.example: this entry was not made from the zone',
    'kept other.corp.example: this entry follows dns:other.corp.example',
    'removed empty.corp.example',
  ]);
  assert.equal(value('hand.corp.example', 'waypostroute'), undefined);
  assert.equal(directory.resolve('ann@full.corp.example').reply.code, 250);
});

test('a further name of a domain that has people stays its name', async () => {
  const names = { associatedDomain: ['acme.test', 'corp.example'] };
  await directory.apply(addDomain('acme.example', names), addUser('ann@acme.example'));
  assert.deepEqual(await applied({ 'acme.test': 'local', [ZONE]: 'mx', 'a.corp.example': 'local' }), [
    'kept acme.test: it is an associatedDomain of acme.example',
    'kept corp.example: it is an associatedDomain of acme.example',
    'made a.corp.example',
  ]);
  for (const domain of ['acme.test', ZONE]) assert.equal(directory.resolve(`ann@${domain}`).reply.code, 250);
});

test('a dry run says what the run does, and does nothing', async () => {
  await apply({ [ZONE]: 'local', 'a.b.corp.example': 'local', 'b.corp.example': 'local' });
  const next: Domains = { [ZONE]: 'mx', 'new.corp.example': 'local' };
  const before = revision();
  const dry = await applied(next, { dryRun: true });
  assert.equal(revision(), before);
  assert.deepEqual(dry, [
    'changed corp.example',
    'made new.corp.example',
    'removed a.b.corp.example',
    'removed b.corp.example',
  ]);
  assert.deepEqual(await applied(next), dry);
});

test('an entry that is taken over between the plan and its slice is kept, the others of the slice are made', async () => {
  await apply({ 'a.corp.example': 'local', 'b.corp.example': 'local' });
  let isFirst = true;
  const goesOn = () => {
    if (!isFirst) return;
    isFirst = false;
    for (const name of ['a', 'b'])
      void directory.apply(replace(dcDnOfDomain(`${name}.corp.example`), { waypostSource: 'by hand' }));
    void directory.apply(addDomain('c.corp.example'));
  };
  const lines = await applied({ 'a.corp.example': 'mx', 'c.corp.example': 'mx', 'd.corp.example': 'mx' }, { goesOn });
  assert.deepEqual(
    lines.map((line) => line.split(':')[0]),
    ['kept a.corp.example', 'kept b.corp.example', 'kept c.corp.example', 'made d.corp.example'],
  );
  for (const name of ['a', 'b', 'c']) assert.equal(value(`${name}.corp.example`, 'waypostroute'), undefined);
  assert.equal(value('b.corp.example', 'waypostsource'), 'by hand');
});

test('a run that ends between slices is finished by the next one', async () => {
  const many: Domains = Object.fromEntries(Array.from({ length: 450 }, (_, n) => [`d${n}.corp.example`, 'local']));
  let slices = 0;
  const goesOn = () => {
    if (++slices > 1) throw new Failure('unavailable', 'The server is stopping');
  };
  await assert.rejects(apply(many, { goesOn }), { name: 'Failure', kind: 'unavailable' });
  const { made } = await apply(many);
  assert.equal(made, 250);
  const { removed } = await apply({});
  assert.equal(removed, 450);
});

test('whatever the zones say one after another, the entries are those of the last, and nobody else has lost any', async () => {
  const names = ['a', 'b', 'x.a', 'y.x.a', 'hand', 'z.hand', 'full'].map((name) => `${name}.corp.example`);
  await directory.apply(addDomain('hand.corp.example'));
  await apply({ 'full.corp.example': 'local' });
  await directory.apply(addUser('ann@full.corp.example'));
  const zone = fc.dictionary(fc.constantFrom(...names), fc.constantFrom<ZoneRoute>('local', 'mx'));
  await fc.assert(
    fc.asyncProperty(zone, fc.boolean(), async (domains, isDry) => {
      const dry = isDry ? await applied(domains, { dryRun: true }) : undefined;
      const real = await applied(domains);
      if (dry !== undefined) assert.deepEqual(real, dry);
      // A dropped one stays where a wanted one, or a node that somebody still needs, lies below.
      for (const name of names) {
        const isOurs = value(name, 'waypostsource') === 'dns:corp.example';
        const wanted = domains[name];
        if (name === 'hand.corp.example') assert.equal(isOurs, false);
        else if (wanted !== undefined) {
          assert.equal(isOurs, true, name);
          assert.equal(value(name, 'waypostroute'), wanted === 'mx' ? 'mx' : undefined);
        } else if (name === 'full.corp.example') assert.equal(isOurs, true);
        else if (isOurs)
          assert.ok(
            names.some((below) => below.endsWith(`.${name}`) && found(below) !== undefined),
            name,
          );
      }
      assert.deepEqual(
        (await applied(domains)).filter((line) => !line.startsWith('kept')),
        [],
      );
    }),
    { numRuns: 60 },
  );
});
