// Somebody else's directory that is followed: who is added there gets mail here at the next RCPT, and is gone here some time after
// the removal there.

import { CORP, corpPerson } from '../../support/corp-slapd.ts';
import { until } from '../../support/until.ts';
import { type Load, served } from '../pace.ts';
import { SOURCE_DOMAIN } from '../world.ts';
import { rcpt } from './sessions.ts';

export const sourceChanges: Load = {
  name: 'change at the source',
  perSecond: 0.15,
  async run({ corp, mx1, mx2, next }) {
    const uid = `c${next()}`;
    const address = `${uid}@${SOURCE_DOMAIN}`;
    const code = (at = mx1): Promise<number> => served(`RCPT ${address}`, () => rcpt(at, address));
    await corp.changeBeside(corpPerson(uid));
    for (const server of [mx1, mx2]) {
      const said = await code(server);
      if (said !== 250) throw new Error(`RCPT ${address} at ${server.hostname}: ${said} behind its add at the source`);
    }
    await corp.changeBeside(`dn: uid=${uid},ou=people,${CORP}\nchangetype: delete\n`);
    await until(`the removal of ${address}`, async () => (await code()) === 550);
  },
};
