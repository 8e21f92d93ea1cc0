// The feed of a second server, without the first and with commits that fail.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf, type Revision } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import { formatCsn } from '../../directory/csn.ts';
import { openTestDirectory } from '../testing.ts';
import { ProviderFeed } from './feed.ts';
import { takeProvided } from './position.ts';

const SEVEN = idOf<Revision>(7);

test('the position from before a break is no answer until the refresh is whole', async () => {
  const { reader, writer, close } = await openTestDirectory();
  try {
    const cookie = `rid=001,csn=${formatCsn(SEVEN, 1)}`;
    await writer.execute(takeProvided, { changes: [], reached: { cookie, revision: SEVEN } });
    const feed = new ProviderFeed({
      reader,
      writer,
      log: silentLog,
      servers: { urls: [] },
      askedHere: () => undefined,
    });
    assert.equal(feed.reached, SEVEN);
    assert.equal(await feed.has(SEVEN, 1), false);
  } finally {
    close();
  }
});
