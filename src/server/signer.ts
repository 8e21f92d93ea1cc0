// The signer of one thread, put together: which keys sign for a domain comes from the zones, their private halves from the entries.
//
// Limits  DOMAINS_MAX domains and as many keys are remembered, as long as no row of the zones moves

import type { KeyObject } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import type { Reader } from '../database/operation.ts';
import { parseDn } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { textValue } from '../directory/entry.ts';
import { readPrivateKey } from '../message/dkim/key.ts';
import type { SigningKey } from '../message/dkim/sign.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { Signer, type SigningKeys } from '../transfer/sign/signer.ts';
import { changedSince } from '../zones/changes.ts';
import { keyObserved, signingKeysOf } from '../zones/keys.ts';
import { rememberedSettings } from '../zones/look-up.ts';
import { zoneNames } from '../zones/names.ts';
import { publishedKeys } from '../zones/published-keys.ts';
import { findZone } from '../zones/records.ts';
import type { ZoneKeyRow, ZoneSite } from '../zones/settings.ts';

const DOMAINS_MAX = 10_000;

export interface ThreadSignerParts {
  readonly reader: Reader;
  readonly site: ZoneSite;
  readonly routing: RoutingCache;
  readonly log: Log;
}

export function createSigner({ reader, site, routing, log }: ThreadSignerParts): Signer {
  return new Signer({ keys: directoryKeys(reader, site, log), routing, log, clock: systemClock });
}

function directoryKeys(reader: Reader, site: ZoneSite, log: Log): SigningKeys {
  const names = zoneNames(reader);
  const settings = rememberedSettings(reader, site);
  const observed = keyObserved(reader);
  const secrets = new Map<string, KeyObject | undefined>();
  /** Of zones of ours alone: elsewhere a record may be seen without a change here. */
  const known = new Map<string, readonly SigningKey[]>();
  let ofRevision = reader.revision();

  function forgetMoved(): void {
    const revision = reader.revision();
    if (revision === ofRevision && known.size <= DOMAINS_MAX) return;
    const moved = changedSince(reader, ofRevision);
    if (moved === undefined || moved.all || moved.paths.length > 0 || known.size > DOMAINS_MAX) known.clear();
    ofRevision = revision;
  }

  function privateHalf({ dn, public: open, key, type }: ZoneKeyRow): SigningKey[] {
    const name = `${open} ${dn}`;
    if (!secrets.has(name)) {
      if (secrets.size > DOMAINS_MAX) secrets.clear();
      secrets.set(name, secretOf(reader, dn, log));
    }
    const secret = secrets.get(name);
    return secret === undefined ? [] : [{ selector: key, type, key: secret }];
  }

  return {
    hostname: site.hostname,
    isOurs: (domain) =>
      reader.snapshot(
        () => names.find(domain)?.row?.domain === 'mail' || settings().hosts.some(({ key }) => key === domain),
      ),
    keysFor: (domain) =>
      reader.snapshot(() => {
        forgetMoved();
        const remembered = known.get(domain);
        if (remembered !== undefined) return remembered;
        const parts = { names, settings: settings(), observed };
        const keys = signingKeysOf(domain, parts).flatMap(privateHalf);
        if (findZone(domain, parts) !== undefined) known.set(domain, keys);
        return keys;
      }),
    isKey: (domain, selector) =>
      reader.snapshot(() => publishedKeys(domain, { names, settings: settings() }).some(({ key }) => key === selector)),
  };
}

/** Undefined for what cannot sign; the log says so, and the message goes without. */
function secretOf(reader: Reader, dn: string, log: Log): KeyObject | undefined {
  const entry = findEntry(reader, parseDn(dn));
  const pem = entry && textValue(entry, 'waypostkeysecret');
  try {
    if (pem !== undefined) return readPrivateKey(pem);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
  log.warn('dkim.key', { key: dn });
  return undefined;
}
