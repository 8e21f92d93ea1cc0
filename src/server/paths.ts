// What lies where in the data directory.

import { join } from 'node:path';

export const databasePath = (data: string): string => join(data, 'store.db');
export const lockPath = (data: string): string => join(data, 'lock');
export const segmentsPath = (data: string): string => join(data, 'segments');
/** Can be made anew from the store; in no backup. */
export const searchIndexPath = (data: string): string => join(data, 'index');
export const auditPath = (data: string): string => join(data, 'audit');
export const runPath = (data: string): string => join(data, 'run');
export const tlsPath = (data: string): string => join(data, 'tls');
export const certificatesPath = (data: string): string => join(data, 'tls', 'certs');
/** Where local programs hand in their mail: `folder` of `[submit]`, else one in the data directory. */
export const submitPath = (data: string, folder: string | undefined): string => folder ?? join(data, 'submit');
export const adminPasswordPath = (data: string): string => join(data, 'admin-password');
/** Below it lie files that mail is written to: `folder` of `[file]`, else one in the data directory. */
export const filesPath = (data: string, folder: string | undefined): string => folder ?? join(data, 'files');
