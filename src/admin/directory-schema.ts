// directory schema, directory check: the schema for other servers, and the entries that do not fit it.

import { z } from 'zod';
import { openLdapSchema } from '../directory/open-ldap-schema.ts';
import { schema } from '../directory/schema.ts';
import { type UnfitEntries, unfitEntries } from '../directory/unfit-entries.ts';
import type { EntryParts } from './entries.ts';
import { adminOperation } from './operation.ts';

/** As a file that OpenLDAP's slapd includes. */
export const directorySchema = (_parts: EntryParts) =>
  adminOperation('directory.schema', z.strictObject({}), (): { readonly schema: string } => ({
    schema: openLdapSchema(schema()),
  }));

export const directoryCheck = ({ reader }: EntryParts) =>
  adminOperation('directory.check', z.strictObject({}), (): Promise<UnfitEntries> => unfitEntries(reader));
