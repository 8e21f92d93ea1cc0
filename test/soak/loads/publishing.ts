// Domains below a zone that somebody else serves: we write their records there by UPDATE, and take them away again.

import { ResultCodeError } from 'ldapts';
import { addDomain, domainDn } from '../../support/directory.ts';
import { until } from '../../support/until.ts';
import { type Load, served } from '../pace.ts';
import { PUBLISHED_ZONE } from '../world.ts';
import { asked } from './zones.ts';

const EXISTS = 68;
const ABSENT = 32;

export const publishedDomains: Load = {
  name: 'domain published by UPDATE',
  perSecond: 0.12,
  async run(world) {
    const domain = `p${world.next()}.${PUBLISHED_ZONE}`;
    const isThere = async (): Promise<boolean> =>
      (await served(domain, () => asked(world, { at: world.bind, name: domain, type: 'MX' }))).length > 0;
    const done = (code: number) => (error: unknown) => {
      if (!(error instanceof ResultCodeError) || error.code !== code) throw error;
    };
    await served(`the add of ${domain}`, () =>
      world.withAdministrator(world.mx1, (client) => addDomain(client, domain).catch(done(EXISTS))),
    );
    await until(`the records of ${domain} at their primary`, isThere);
    await served(`the removal of ${domain}`, () =>
      world.withAdministrator(world.mx1, (client) => client.del(domainDn(domain)).catch(done(ABSENT))),
    );
    await until(`the records of ${domain} gone`, async () => !(await isThere()));
  },
};
